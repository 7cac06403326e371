namespace Narad.Kafka.Soak.Verification;

/// <summary>
/// All that is known of one message: where it is, where its retry records and dead letters are, and how often it was handled there. Verifies nothing but what
/// its own records say.
/// </summary>
internal sealed class MessageStory(int key, int sequence, Fates fates)
{
    private readonly List<ForwardedRecord> _records = [];
    private readonly List<ForwardedRecord> _retries = [];
    private readonly List<ForwardedRecord> _deadLetters = [];
    private readonly List<Invocation> _invocations = [];

    public Fate Fate { get; } = fates.Of(key, sequence);

    /// <summary>In the topic: one, or more where it was written twice.</summary>
    public List<ForwardedRecord> Records => _records;

    public List<ForwardedRecord> Retries => _retries;

    public List<ForwardedRecord> DeadLetters => _deadLetters;

    /// <summary>In the order in which they began.</summary>
    public List<Invocation> Invocations => _invocations;

    public int Successes => _invocations.Count(one => !one.Failed);

    /// <summary>What is at an attempt: the message itself, or its retry records.</summary>
    public IReadOnlyList<ForwardedRecord> At(int retry) => retry == 0 ? _records : [.. _retries.Where(forwardedRecord => forwardedRecord.Retry == retry)];

    public IReadOnlyList<Invocation> Of(ForwardedRecord record) =>
        [.. _invocations.Where(one => one.Offset == record.Place.Offset && one.Retry == record.Retry && one.At >= record.Written
            && string.Equals(one.Log, record.Place.Log, StringComparison.Ordinal))];

    /// <summary>Whether this invocation ended its attempt: handled, or failed for the last time in memory.</summary>
    public bool Ends(Invocation one) => !one.Failed || one.Attempt >= Fate.Invocations;

    /// <summary>
    /// When a record was begun for the last time that it needed, in milliseconds since 1970: later than that, it holds back nothing behind it.
    /// </summary>
    public long SettledAt(ForwardedRecord record)
    {
        var invocations = Of(record);
        foreach (var one in invocations)
        {
            if (Ends(one))
            {
                return one.At;
            }
        }

        // Never handled from there: it was moved to the end of its topic, or could not be read.
        var moved = Fate.Kind is FateKind.Poison ? _deadLetters.FirstOrDefault()
            : _retries.Find(forwardedRecord => forwardedRecord.Retry == record.Retry && forwardedRecord.Written > record.Written);
        return moved?.Written ?? SettledAt();
    }

    // It was not begun from there at all: at the latest when there was nothing more to do.
    private long SettledAt() =>
        _invocations.FindLast(one => !one.Failed) is { Handling.Finished: > 0 } success ? success.At : _deadLetters.LastOrDefault()?.Written ?? long.MaxValue;

    /// <summary>How often an attempt ended in a failure, and so in a copy.</summary>
    public int Forwards(int retry) =>
        Fate.Kind is FateKind.Poison ? retry == 0 ? _records.Count : 0 : _invocations.Count(one => one.Failed && one.Retry == retry && Ends(one));

    /// <summary>Everything, in a line.</summary>
    public override string ToString() =>
        $"key {key} number {sequence} ({Fate.Kind} {Fate.Retries}): at {string.Join(", ", _records.Select(record => record.Name))}"
        + string.Concat(
            _invocations.Select(one =>
                $"; {Time(one.At)} member {one.Handling.Member} {one.Log}@{one.Offset} #{one.Retry}.{one.Attempt} {(one.Failed ? "failed" : "handled")}"))
        + string.Concat(
            _retries.Select(forwardedRecord =>
                $"; {Time(forwardedRecord.Written)} copy #{forwardedRecord.Retry} {forwardedRecord.Name} due "
                    + $"{Time(forwardedRecord.Due)}{(forwardedRecord.Writer is null ? "" : $" by {forwardedRecord.Writer}")}"))
        + string.Concat(_deadLetters.Select(forwardedRecord => $"; {Time(forwardedRecord.Written)} dead letter {forwardedRecord.Name}"));

    private static string Time(long at) =>
        DateTimeOffset.FromUnixTimeMilliseconds(at).ToString("HH:mm:ss.fff", System.Globalization.CultureInfo.InvariantCulture);
}
