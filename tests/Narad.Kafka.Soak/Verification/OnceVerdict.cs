namespace Narad.Kafka.Soak.Verification;

/// <summary>
/// What a reader of committed messages finds, where each message is to have exactly one output or exactly one dead letter.
/// <list type="bullet">
/// <item>Missing: acknowledged and not in the topic, or in the topic with neither output nor dead letter.</item>
/// <item>Duplicates: outputs and dead letters beyond a message's first.</item>
/// <item>Both: an output and a dead letter.</item>
/// <item>Wrong: a dead letter of a message that does not fail for good or an output of one that does; an output of nothing; a copy that is not its message byte
/// for byte; outputs of a key in another order than its messages.</item>
/// </list>
/// </summary>
internal sealed class OnceVerdict : IVerdict
{
    private readonly List<string> _examples = [];

    public int Sent { get; private set; }

    public int Acknowledged { get; private set; }

    public int InTopic { get; private set; }

    public int Outputs { get; private set; }

    public int DeadLetters { get; private set; }

    /// <summary>Outputs and dead letters that were written and never became visible: their transactions were aborted.</summary>
    public long Aborted { get; private set; }

    public int Invocations { get; private set; }

    public int Missing { get; private set; }

    public int Duplicates { get; private set; }

    public int Both { get; private set; }

    public int Wrong { get; private set; }

    public bool IsClean => Missing == 0 && Duplicates == 0 && Both == 0 && Wrong == 0;

    public IReadOnlyList<string> Examples => _examples;

    public string Columns => "acknowledged | outputs | dead letters | missing | duplicates | both | wrong | written and aborted | invocations";

    public string Row => $"{Acknowledged:N0} | {Outputs:N0} | {DeadLetters:N0} | {Missing} | {Duplicates} | {Both} | {Wrong} | {Aborted:N0} | {Invocations:N0}";

    /// <param name="recorder">What was sent and handled.</param>
    /// <param name="fates">Which messages fail.</param>
    /// <param name="records">What the topics hold, each log in the order of its offsets; so the others.</param>
    /// <param name="outputs">What a reader of committed messages finds in the output topics.</param>
    /// <param name="deadLetters">What it finds in the dead-letter topics.</param>
    /// <param name="written">What these hold for a reader that does not ask what was committed.</param>
    public static OnceVerdict Of(
        Recorder recorder, Fates fates, IReadOnlyList<ForwardedRecord> records, IReadOnlyList<ForwardedRecord> outputs,
            IReadOnlyList<ForwardedRecord> deadLetters, IReadOnlyCollection<ForwardedRecord> written)
    {
        var verdict = new OnceVerdict
        {
            InTopic = records.Count,
            Outputs = outputs.Count,
            DeadLetters = deadLetters.Count,
            Aborted = written.Count - outputs.Count - deadLetters.Count,
            Invocations = recorder.Invocations.Count,
        };
        var messages = records.ToDictionary(Number);
        var made = outputs.ToLookup(Number);
        var dead = deadLetters.ToLookup(Number);
        foreach (var (key, sequence, outcome) in recorder.Sends())
        {
            verdict.Sent++;
            verdict.Acknowledged += outcome is SendOutcome.Acknowledged ? 1 : 0;
            if (outcome is SendOutcome.Acknowledged && !messages.ContainsKey((key, sequence)))
            {
                verdict.Missing++;
                verdict.Example($"acknowledged and not in the topic: key {key} number {sequence}");
            }
        }

        var handled = recorder.Invocations.ToLookup(one => (one.Handling.Key, one.Handling.Sequence));
        foreach (var (number, record) in messages)
        {
            verdict.Verify(
                record, fates.Of(number.Key, number.Sequence), [.. made[number]], [.. dead[number]], [.. handled[number].OrderBy(one => one.Handling.Started)]);
        }

        foreach (var stray in outputs.Concat(deadLetters).Where(forwardedRecord => !messages.ContainsKey(Number(forwardedRecord))))
        {
            verdict.IsWrong($"an output or a dead letter of nothing: {stray.Name}");
        }

        verdict.CheckOrder(outputs);
        return verdict;

        static (int Key, int Sequence) Number(ForwardedRecord record) => (record.Place.Key, record.Place.Sequence);
    }

    public override string ToString() =>
        $"""
          sent {Sent}: acknowledged {Acknowledged}, in the topic {InTopic}; invocations {Invocations}
          outputs {Outputs}, dead letters {DeadLetters}; written and aborted: {Aborted}
          missing {Missing}, duplicates {Duplicates}, both {Both}, wrong {Wrong}
        """;

    private void Verify(ForwardedRecord record, Fate fate, List<ForwardedRecord> outputs, List<ForwardedRecord> deadLetters, List<Invocation> invocations)
    {
        string Story(string what) =>
            $"{what}: key {record.Place.Key} number {record.Place.Sequence} ({fate.Kind}) at {record.Name}"
            + string.Concat(
                invocations.Select(one =>
                    $"\n          {Time(one.At)} to {Time(one.FinishedAt)} member {one.Handling.Member} #{one.Retry}.{one.Attempt} "
                        + $"{(one.Failed ? "failed" : "handled")}"))
            + string.Concat(outputs.Select(forwardedRecord => $"\n          {Time(forwardedRecord.Written)} output {forwardedRecord.Name}"))
            + string.Concat(deadLetters.Select(forwardedRecord => $"\n          {Time(forwardedRecord.Written)} dead letter {forwardedRecord.Name}"));

        if (outputs.Count + deadLetters.Count == 0)
        {
            Missing++;
            Example(Story("MISSING"));
        }

        if (outputs.Count > 1 || deadLetters.Count > 1)
        {
            Duplicates += Math.Max(0, outputs.Count - 1) + Math.Max(0, deadLetters.Count - 1);
            Example(Story("DUPLICATE"));
        }

        if (outputs.Count > 0 && deadLetters.Count > 0)
        {
            Both++;
            Example(Story("BOTH"));
        }

        if (fate.IsDeadLetter ? outputs.Count > 0 : deadLetters.Count > 0)
        {
            IsWrong(Story(fate.IsDeadLetter ? "an output of a message that fails for good" : "a dead letter that should be none"));
        }

        foreach (var forwardedRecord in deadLetters)
        {
            if (!string.Equals(forwardedRecord.Origin, record.Name, StringComparison.Ordinal) || !forwardedRecord.Key.AsSpan().SequenceEqual(record.Key)
                || !forwardedRecord.Value.AsSpan().SequenceEqual(record.Value))
            {
                IsWrong(Story($"not byte for byte, or of another place ({forwardedRecord.Origin})"));
            }
        }
    }

    private void CheckOrder(IReadOnlyList<ForwardedRecord> outputs)
    {
        foreach (var key in outputs.GroupBy(output => output.Place.Key))
        {
            ForwardedRecord? before = null;
            foreach (var output in key.OrderBy(output => output.Place.Offset))
            {
                if (before is not null && output.Place.Sequence < before.Place.Sequence)
                {
                    IsWrong($"outputs out of order: key {output.Place.Key} number {output.Place.Sequence} at {output.Name} behind number "
                        + $"{before.Place.Sequence} at {before.Name}");
                }

                before = output;
            }
        }
    }

    private void IsWrong(string text)
    {
        Wrong++;
        Example(text);
    }

    private void Example(string text)
    {
        if (_examples.Count < 20)
        {
            _examples.Add(text);
        }
    }

    private static string Time(long at) =>
        DateTimeOffset.FromUnixTimeMilliseconds(at).ToString("HH:mm:ss.fff", System.Globalization.CultureInfo.InvariantCulture);
}
