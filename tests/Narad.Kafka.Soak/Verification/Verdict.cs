namespace Narad.Kafka.Soak.Verification;

/// <summary>
/// The recorder against what the independent reader found.
/// <list type="bullet">
/// <item>Lost: acknowledged and not in the topic, or in the topic and never handled.</item>
/// <item>Out of order: for two messages that follow each other on one key in one partition's log, the first handling of the second began before the
/// first handling of the first had finished; or the log holds them in another order than they were sent in; or two handlers of one key and partition ran at the
/// same time in one member.</item>
/// <item>Duplicates: handlings beyond the first one of a message; explained, where the handling before it finished while a fault was on, or shortly before a
/// refused commit or a lost partition, or while a message below it in its partition had not begun.</item>
/// </list>
/// </summary>
internal sealed record Verdict : IVerdict
{
    public long Sent { get; private init; }

    public long Acknowledged { get; private init; }

    public long SendsFailed { get; private init; }

    public long SendsUnknown { get; private init; }

    public long InTopic { get; private init; }

    public long WrittenTwice { get; private init; }

    public long Handled { get; private init; }

    public long Vanished { get; private init; }

    public long NeverHandled { get; private init; }

    public long Deleted { get; private init; }

    public long Inverted { get; private init; }

    public long Overlapping { get; private init; }

    /// <summary>Handlers of one key that ran at once in one member, for two partitions: where partitions were added, order is that of each.</summary>
    public long Moved { get; private init; }

    public long WrittenOutOfOrder { get; private init; }

    public long Duplicates { get; private init; }

    /// <summary>Duplicates in an orderly hand-over: finished while a message below them in the partition had not begun, and so not committable.</summary>
    public long Ahead { get; private init; }

    public long Unexplained { get; private init; }

    public long Phantoms { get; private init; }

    public IReadOnlyList<string> Examples { get; private init; } = [];

    public long Lost => Vanished + NeverHandled;

    public long OutOfOrder => Inverted + Overlapping + WrittenOutOfOrder;

    public bool IsClean => Lost == 0 && OutOfOrder == 0 && Phantoms == 0;

    public string Columns => "acknowledged | sends failed | handled | lost | out of order | duplicates (ahead, not explained)";

    public string Row => $"{Acknowledged:N0} | {SendsFailed + SendsUnknown} | {Handled:N0} | {Lost} | {OutOfOrder} | {Duplicates} ({Ahead}, {Unexplained})";

    /// <param name="recorder">What was sent and handled.</param>
    /// <param name="records">What the topics hold or held; each log in the order of its offsets.</param>
    /// <param name="deleted">Messages that were deleted on purpose before they were handled.</param>
    public static Verdict Of(Recorder recorder, IReadOnlyList<LogRecord> records, IReadOnlySet<(int Key, int Sequence)> deleted)
    {
        var examples = new List<string>();
        void Example(string text)
        {
            if (examples.Count < 10)
            {
                examples.Add(text);
            }
        }

        var present = new HashSet<(int Key, int Sequence)>(records.Count);
        foreach (var record in records)
        {
            present.Add((record.Key, record.Sequence));
        }

        var outcomes = recorder.Sends().ToList();
        long vanished = 0;
        foreach (var (key, sequence, _) in outcomes.Where(send => send.Outcome is SendOutcome.Acknowledged && !present.Contains((send.Key, send.Sequence))))
        {
            vanished++;
            Example($"acknowledged and not in the topic: key {key} number {sequence}");
        }

        var first = new Dictionary<(int, int), Handling>();
        long duplicates = 0;
        long overlapping = 0;
        var repeats = new List<(Handling Before, Handling Again)>();
        var faults = recorder.Faults;
        var latest = new Dictionary<(int, int), Handling>();
        var logs = new Dictionary<(int, int), string>(records.Count);
        foreach (var record in records)
        {
            logs[(record.Key, record.Sequence)] = record.Log;
        }

        long moved = 0;
        var latestOfKey = new Dictionary<(int Member, int Key), Handling>();
        var running = new Dictionary<(int Member, int Key, string? Log), Handling>();
        foreach (var handling in recorder.Handlings.OrderBy(handling => handling.Started))
        {
            var message = (handling.Key, handling.Sequence);
            if (latest.TryGetValue(message, out var before))
            {
                duplicates++;
                if (!faults.Any(fault => before.Finished >= fault.From && before.Finished <= fault.To))
                {
                    repeats.Add((before, handling));
                }
            }

            latest[message] = handling;
            if (!first.TryGetValue(message, out var earliest) || handling.Finished < earliest.Finished)
            {
                first[message] = new Handling(handling.Key, handling.Sequence, handling.Member,
                    Math.Min(handling.Started, earliest.Started == 0 ? long.MaxValue : earliest.Started), handling.Finished);
            }

            var keyQueue = (handling.Member, handling.Key, logs.GetValueOrDefault(message));
            if (running.TryGetValue(keyQueue, out var other) && handling.Started < other.Finished)
            {
                overlapping++;
                Example($"two handlers at once in member {handling.Member}: {keyQueue.Item3}, key {handling.Key} numbers {other.Sequence} and "
                    + $"{handling.Sequence}");
            }
            else if (latestOfKey.TryGetValue((handling.Member, handling.Key), out var elsewhere) && handling.Started < elsewhere.Finished)
            {
                moved++;   // partitions were added, and the key has messages in two of them
            }

            if (other.Finished < handling.Finished)
            {
                running[keyQueue] = handling;
            }

            latestOfKey[(handling.Member, handling.Key)] = handling;
        }

        long neverHandled = 0;
        long gone = 0;
        long inverted = 0;
        long writtenOutOfOrder = 0;
        var previous = new Dictionary<(string, int), LogRecord>();
        var lastBelow = new Dictionary<string, long>(StringComparer.Ordinal);             // log → when the last of the messages so far was begun
        var lastBelowMessage = new Dictionary<(int, int), long>(records.Count);
        foreach (var record in records)
        {
            var message = (record.Key, record.Sequence);
            lastBelowMessage[message] = lastBelow.GetValueOrDefault(record.Log);
            if (first.TryGetValue(message, out var begun) && begun.Started > lastBelowMessage[message])
            {
                lastBelow[record.Log] = begun.Started;
            }

            if (!first.TryGetValue(message, out var handled))
            {
                if (deleted.Contains(message))
                {
                    gone++;
                }
                else
                {
                    neverHandled++;
                    Example($"never handled: {record.Log} offset {record.Offset}, key {record.Key} number {record.Sequence}");
                }
            }

            if (previous.TryGetValue((record.Log, record.Key), out var predecessor))
            {
                if (record.Sequence < predecessor.Sequence)
                {
                    writtenOutOfOrder++;
                    Example($"written out of order: {record.Log} offset {record.Offset}, key {record.Key} number {record.Sequence} behind "
                        + $"{predecessor.Sequence}");
                }
                else if (record.Sequence > predecessor.Sequence && handled.Finished != 0
                    && first.TryGetValue((predecessor.Key, predecessor.Sequence), out var earlier) && handled.Started < earlier.Finished)
                {
                    inverted++;
                    Example($"handled out of order: {record.Log} offset {record.Offset}, key {record.Key} number {record.Sequence} (member {handled.Member}) "
                        + $"began {Seconds(earlier.Finished - handled.Started)} s before number {predecessor.Sequence} (member {earlier.Member}) had finished");
                }
            }

            previous[(record.Log, record.Key)] = record;
        }

        // What finished before a message below it had begun could not be committed then.
        var unexplained = repeats.Where(repeat => lastBelowMessage.GetValueOrDefault((repeat.Again.Key, repeat.Again.Sequence)) <= repeat.Before.Finished)
            .ToList();
        var whence = unexplained.GroupBy(
            repeat => $"{TimeOf(repeat.Again.Started):HH:mm:ss} by member {repeat.Again.Member}, before by member {repeat.Before.Member}",
            StringComparer.Ordinal);
        return new Verdict
        {
            Sent = outcomes.Count,
            Acknowledged = outcomes.Count(send => send.Outcome is SendOutcome.Acknowledged),
            SendsFailed = outcomes.Count(send => send.Outcome is SendOutcome.Failed),
            SendsUnknown = outcomes.Count(send => send.Outcome is SendOutcome.Unknown or SendOutcome.Open),
            InTopic = present.Count,
            WrittenTwice = records.Count - present.Count,
            Handled = first.Count,
            Vanished = vanished,
            NeverHandled = neverHandled,
            Deleted = gone,
            Inverted = inverted,
            Overlapping = overlapping,
            Moved = moved,
            WrittenOutOfOrder = writtenOutOfOrder,
            Duplicates = duplicates,
            Ahead = repeats.Count - unexplained.Count,
            Unexplained = unexplained.Count,
            Phantoms = first.Keys.Count(message => !present.Contains(message)),
            Examples = [.. examples, .. whence.Take(20).Select(again => $"handled again, not explained: {again.Count()} at {again.Key}")],
        };
    }

    public override string ToString() =>
        $"""
          sent {Sent}: acknowledged {Acknowledged}, failed {SendsFailed}, unknown {SendsUnknown}
          in the topic {InTopic} (written twice {WrittenTwice}), handled {Handled}, deleted before they were handled {Deleted}, handled but not in the topic {Phantoms}
          lost {Lost} (not in the topic {Vanished}, never handled {NeverHandled})
          out of order {OutOfOrder} (handled {Inverted}, two at once {Overlapping}, written {WrittenOutOfOrder}); at once, but in two partitions of a key that moved: {Moved}
          duplicates {Duplicates} (by a fault or a refused commit {Duplicates - Ahead - Unexplained}, ahead of an unfinished message at a hand-over {Ahead}, not explained {Unexplained})
        """;

    private static DateTime TimeOf(long timestamp) => DateTime.UtcNow - System.Diagnostics.Stopwatch.GetElapsedTime(timestamp);

    private static string Seconds(long ticks) =>
        ((double)ticks / System.Diagnostics.Stopwatch.Frequency).ToString("0.000", System.Globalization.CultureInfo.InvariantCulture);
}
