namespace Narad.Kafka.Soak.Verification;

/// <summary>
/// The recorder of a run with failing handlers against what the independent reader found in the topics, the retry topics and the dead-letter topics.
/// <list type="bullet">
/// <item>Lost: acknowledged and not in the topic, or in the topic and neither handled nor a dead letter.</item>
/// <item>Early: a copy whose handler began before its due time, or before the failure that led to it and the wait that the policy has behind that.</item>
/// <item>Wrong: a dead letter that should not be one, or is not the message that it says byte for byte, or not in its partition; an attempt that the policy
/// does not have, or that was left out.</item>
/// <item>Repeats: what was begun again after it had been done, each counted once where it began (what follows from it is not counted again), and why.
/// Duplicates are what comes of them: successes and dead letters beyond a message's first.</item>
/// <item>Late: from the due time to the handler, where no broker was broken and no member came or went meanwhile.</item>
/// </list>
/// </summary>
internal sealed record FailuresVerdict : IVerdict
{
    private readonly Dictionary<RepeatCause, int> _repeats = [];
    private readonly SortedDictionary<string, int> _repeated = new(StringComparer.Ordinal);
    private readonly List<string> _examples = [];
    private readonly List<string> _marks = [];

    public long Sent { get; private set; }

    public long Acknowledged { get; private set; }

    public long InTopic { get; private set; }

    public long Handled { get; private set; }

    public long DeadLettered { get; private set; }

    public long Poison { get; private set; }

    public long Retried { get; private set; }

    public long Republished { get; private set; }

    public long Lost { get; private set; }

    /// <summary>With the retry record that waited, by the fault of the run.</summary>
    public long Deleted { get; private set; }

    public long Early { get; private set; }

    public long Wrong { get; private set; }

    public long Duplicates { get; private set; }

    /// <summary>Messages that fail, and were invoked exactly as often as the policy says.</summary>
    public long Exact { get; private set; }

    public long Failing { get; private set; }

    /// <summary>Milliseconds, of the retries in quiet times; sorted.</summary>
    public IReadOnlyList<long> Late { get; private set; } = [];

    public long LatestOfAll { get; private set; }

    public IReadOnlyList<string> Examples => _examples;

    /// <summary>Every repeat and why.</summary>
    public IReadOnlyList<string> Marks => _marks;

    public int Repeats => _repeats.Values.Sum();

    public bool IsClean => Lost == 0 && Early == 0 && Wrong == 0 && Count(RepeatCause.Unexplained) == 0;

    public string Columns =>
        "acknowledged | handled | dead letters (poison) | lost | early | wrong | repeats (by a fault, ahead, begun again, not explained) | late: p99, most";

    public string Row =>
        $"{Acknowledged:N0} | {Handled:N0} | {DeadLettered:N0} ({Poison:N0}) | {Lost} | {Early} | {Wrong} | {Repeats} ({Causes}) | {Percentile(0.99)} ms, "
            + $"{Percentile(1)} ms";

    private string Causes =>
        $"{Count(RepeatCause.Fault)}, {Count(RepeatCause.Ahead) + Count(RepeatCause.AheadOfRetry)}, {Count(RepeatCause.BegunAgain)}, "
            + $"{Count(RepeatCause.Unexplained)}";

    /// <param name="recorder">What was sent and handled.</param>
    /// <param name="fates">Which messages fail.</param>
    /// <param name="key-order">Whether what is behind a failed message of its key waits for it in the retry topic, as a record for no attempt.</param>
    /// <param name="records">What the topics hold, each log in the order of its offsets; so the others.</param>
    /// <param name="retries">What the retry topics hold.</param>
    /// <param name="deadLetters">What the dead-letter topics hold.</param>
    /// <param name="deleted">Messages whose waiting retry records were deleted on purpose.</param>
    public static FailuresVerdict Of(Recorder recorder, Fates fates, bool ordered, IReadOnlyList<ForwardedRecord> records,
        IReadOnlyList<ForwardedRecord> retries, IReadOnlyList<ForwardedRecord> deadLetters, IReadOnlySet<(int Key, int Sequence)>? deleted = null)
    {
        var verdict = new FailuresVerdict();
        var stories = verdict.Tell(recorder, fates, records, retries, deadLetters);
        verdict.CountLost(recorder, stories, deleted ?? new HashSet<(int, int)>());
        verdict.Compare(records, retries, deadLetters);
        var faults = new Windows(recorder.Faults);
        var changes = new Windows([.. recorder.Faults, .. recorder.Disturbances]);
        verdict.Time(stories.Values, changes);
        var below = Below(records, stories).Concat(Below(retries, stories)).ToDictionary(StringComparer.Ordinal);
        foreach (var story in stories.Values)
        {
            verdict.VerifyAttempts(story);
            if (ordered)
            {
                verdict.VerifyKeyOrder(story, faults, below);
            }
            else
            {
                verdict.Verify(story, faults, changes, below);
            }

            verdict.VerifyForwarded(story, "dead letters again", story.DeadLetters, story.Forwards(story.Fate.Retries), faults, below);
        }

        return verdict;
    }

    public override string ToString() =>
        $"""
          sent {Sent}: acknowledged {Acknowledged}, in the topics {InTopic}
          handled {Handled}, dead letters {DeadLettered} ({Poison} of them poison), lost {Lost}, deleted with the retry topic that they waited in {Deleted}
          retry records {Retried} (moved to the end out of the way: {Republished}), handled too early {Early}, wrong {Wrong}
          of {Failing} failing messages {Exact} were invoked exactly as often as the policy says
          repeats {Repeats} (by a fault {Count(RepeatCause.Fault)}, ahead of an unfinished message at a hand-over {Count(RepeatCause.Ahead)}, ahead of a waiting retry {Count(RepeatCause.AheadOfRetry)}, a round begun again at a hand-over {Count(RepeatCause.BegunAgain)}, not explained {Count(RepeatCause.Unexplained)}); successes and dead letters beyond the first {Duplicates}
          repeated: {(_repeated.Count == 0 ? "nothing" : string.Join(", ", _repeated.Select(what => $"{what.Key} {what.Value}")))}
          late in quiet times ({Late.Count} retries): {Percentile(0.5)} ms (half), {Percentile(0.99)} ms (99 %), {Percentile(1)} ms (most); with faults {LatestOfAll} ms
        """;

    private int Count(RepeatCause cause) => _repeats.GetValueOrDefault(cause);

    private long Percentile(double part) => Late.Count == 0 ? 0 : Late[Math.Min(Late.Count - 1, (int)(part * Late.Count))];

    private void Example(string text)
    {
        if (_examples.Count < 20)
        {
            _examples.Add(text);
        }
    }

    private void IsWrong(string text)
    {
        Wrong++;
        Example(text);
    }

    // What was found, by message.
    private Dictionary<(int, int),
        MessageStory> Tell(Recorder recorder, Fates fates, IReadOnlyList<ForwardedRecord> records, IReadOnlyList<ForwardedRecord> retries,
            IReadOnlyList<ForwardedRecord> deadLetters)
    {
        var stories = new Dictionary<(int, int), MessageStory>(records.Count);
        MessageStory StoryOf(int key, int sequence)
        {
            if (!stories.TryGetValue((key, sequence), out var story))
            {
                stories[(key, sequence)] = story = new MessageStory(key, sequence, fates);
            }

            return story;
        }

        foreach (var record in records)
        {
            StoryOf(record.Place.Key, record.Place.Sequence).Records.Add(record);
        }

        foreach (var forwardedRecord in retries)
        {
            StoryOf(forwardedRecord.Place.Key, forwardedRecord.Place.Sequence).Retries.Add(forwardedRecord);
        }

        foreach (var forwardedRecord in deadLetters)
        {
            StoryOf(forwardedRecord.Place.Key, forwardedRecord.Place.Sequence).DeadLetters.Add(forwardedRecord);
        }

        foreach (var one in recorder.Invocations.OrderBy(one => one.Handling.Started))
        {
            StoryOf(one.Handling.Key, one.Handling.Sequence).Invocations.Add(one);
        }

        InTopic = stories.Values.Count(story => story.Records.Count > 0);
        Retried = retries.Count;
        return stories;
    }

    private void CountLost(Recorder recorder, Dictionary<(int, int), MessageStory> stories, IReadOnlySet<(int Key, int Sequence)> deleted)
    {
        foreach (var (key, sequence, outcome) in recorder.Sends())
        {
            Sent++;
            if (outcome is SendOutcome.Acknowledged)
            {
                Acknowledged++;
                if (!stories.TryGetValue((key, sequence), out var found) || found.Records.Count == 0)
                {
                    Lost++;
                    Example($"acknowledged and not in the topic: key {key} number {sequence}");
                }
            }
        }

        foreach (var (message, story) in stories)
        {
            if (story.Records.Count == 0)
            {
                IsWrong($"handled or copied, but not in the topic: {story}");
            }
            else if (story.Successes == 0 && story.DeadLetters.Count == 0 && deleted.Contains(message))
            {
                Deleted++;
            }
            else if (story.Successes == 0 && story.DeadLetters.Count == 0)
            {
                Lost++;
                Example($"LOST: {story}");
            }

            Handled += story.Successes > 0 ? 1 : 0;
            DeadLettered += story.DeadLetters.Count > 0 ? 1 : 0;
            Poison += story.DeadLetters.Count > 0 && story.Fate.Kind is FateKind.Poison ? 1 : 0;
            Duplicates += Math.Max(0, story.Successes + story.DeadLetters.Count - 1);
        }
    }

    // Each copy against the message that it says it is a copy of.
    private void Compare(IReadOnlyList<ForwardedRecord> records, IReadOnlyList<ForwardedRecord> retries, IReadOnlyList<ForwardedRecord> deadLetters)
    {
        var originals = records.ToDictionary(record => record.Name, StringComparer.Ordinal);
        foreach (var forwardedRecord in retries.Concat(deadLetters))
        {
            if (forwardedRecord.Origin is null || !originals.TryGetValue(forwardedRecord.Origin, out var original))
            {
                IsWrong($"a record of nothing: {forwardedRecord.Name} says {forwardedRecord.Origin ?? "nothing"}");
            }
            else if (!forwardedRecord.Key.AsSpan().SequenceEqual(original.Key) || !forwardedRecord.Value.AsSpan().SequenceEqual(original.Value))
            {
                IsWrong($"not byte for byte: {forwardedRecord.Name} of {original.Name}");
            }
            else if (PartitionOf(forwardedRecord) != PartitionOf(original))
            {
                IsWrong($"in another partition: {forwardedRecord.Name} of {original.Name}");
            }
        }

        static ReadOnlySpan<char> Bracket(ForwardedRecord record) => record.Place.Log.AsSpan(record.Place.Log.LastIndexOf('['));
        static int PartitionOf(ForwardedRecord record) => int.Parse(Bracket(record).Trim("[]"), System.Globalization.CultureInfo.InvariantCulture);
    }

    // For each record the time at which the last of those below it in its log was settled.
    private static IEnumerable<KeyValuePair<string, long>> Below(IReadOnlyList<ForwardedRecord> records, Dictionary<(int, int), MessageStory> stories)
    {
        var last = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var record in records)
        {
            var soFar = last.GetValueOrDefault(record.Place.Log);
            yield return new KeyValuePair<string, long>(record.Name, soFar);
            last[record.Place.Log] = Math.Max(soFar, stories[(record.Place.Key, record.Place.Sequence)].SettledAt(record));
        }
    }

    private void Time(IEnumerable<MessageStory> stories, Windows changes)
    {
        var late = new List<long>();
        foreach (var story in stories.Where(story => story.Retries.Count > 0))
        {
            foreach (var forwardedRecord in story.Retries)
            {
                var invocations = story.Of(forwardedRecord);
                foreach (var one in invocations)
                {
                    if (forwardedRecord.Retry == 0)
                    {
                        continue;   // it waits for another one, not for a time
                    }

                    var failures = story.Invocations.Where(before => before.Retry == forwardedRecord.Retry - 1 && before.Failed && story.Ends(before)).ToList();
                    if (failures.Count == 0)
                    {
                        IsWrong($"an attempt that no failure led to: {story}");
                    }
                    else if (one.At < forwardedRecord.Due || one.At + 1 < failures.Min(failure => failure.FinishedAt)
                        + story.Fate.DelayBefore(forwardedRecord.Retry).TotalMilliseconds)
                    {
                        Early++;
                        Example($"EARLY: {story}");
                    }
                }

                if (invocations.Count > 0 && forwardedRecord.Retry > 0)
                {
                    var lateness = invocations[0].At - forwardedRecord.Due;
                    LatestOfAll = Math.Max(LatestOfAll, lateness);
                    if (!changes.Touches(forwardedRecord.Due, invocations[0].At))
                    {
                        late.Add(lateness);
                        if (lateness > 1_000)
                        {
                            Example($"late by {lateness} ms: {story}");
                        }
                    }
                }
            }
        }

        late.Sort();
        Late = late;
    }

    private void VerifyAttempts(MessageStory story)
    {
        var fate = story.Fate;
        if (story.DeadLetters.Count > 0 && !fate.IsDeadLetter)
        {
            IsWrong($"should not be a dead letter: {story}");
        }

        var last = fate.Retries;
        if (story.Invocations.Exists(one => one.Retry > last || one.Attempt > 1 + fate.Policy.InMemory)
            || story.Retries.Exists(forwardedRecord => forwardedRecord.Retry > last))
        {
            IsWrong($"more attempts than the policy has: {story}");
        }

        if (fate.Kind is not (FateKind.Succeeds or FateKind.Poison) && (story.Successes > 0 || story.DeadLetters.Count > 0))
        {
            Failing++;
            var least = (last * fate.Invocations) + (fate.IsDeadLetter ? fate.Invocations : 1);
            Exact += story.Invocations.Count == least ? 1 : 0;
            if (Enumerable.Range(0, last + 1).Any(retry => Enumerable.Range(1, fate.FailsAt(retry) ? fate.Invocations : 1)
                .Any(attempt => !story.Invocations.Exists(one => one.Retry == retry && one.Attempt == attempt))))
            {
                IsWrong($"fewer attempts than the policy has: {story}");
            }
        }

    }

    private void Verify(MessageStory story, Windows faults, Windows changes, Dictionary<string, long> below)
    {
        for (var retry = 0; retry <= story.Fate.Retries; retry++)
        {
            var here = story.At(retry);
            foreach (var record in here)
            {
                VerifyInvocations(story, record, faults, changes, below[record.Name]);
            }

            if (retry == 0)
            {
                continue;
            }

            // Copies with one due time are one copy that was moved: from one of them it is handled.
            var forwards = here.GroupBy(forwardedRecord => forwardedRecord.Due).ToList();
            Republished += here.Count - forwards.Count;
            foreach (var forwarded in forwards.Select(group => group.ToList()))
            {
                foreach (var forwardedRecord in forwarded.Where(forwardedRecord => story.Of(forwardedRecord).Count > 0).Skip(1))
                {
                    var written = forwarded.ConvertAll(one => one.Written);
                    Repeat(story, "a copy and what it was moved to handled", written.Exists(faults.Contains) ? RepeatCause.Fault
                        : written.Skip(1).Any(at => below[forwarded[0].Name] >= at) ? RepeatCause.AheadOfRetry : RepeatCause.Unexplained);
                }
            }

            VerifyForwarded(story, "copied again", [.. forwards.Select(group => group.First())], story.Forwards(retry - 1), faults, below);
        }
    }

    // Each attempt of a message is invoked once, from whichever of its retry records.
    private void VerifyKeyOrder(MessageStory story, Windows faults, Dictionary<string, long> below)
    {
        var followed = 0;
        for (var retry = 0; retry <= story.Fate.Retries; retry++)
        {
            var here = story.Invocations.FindAll(one => one.Retry == retry);
            for (var i = 1 + followed; i < here.Count; i++)
            {
                var (before, again) = (here[i - 1], here[i]);
                // Neither the message nor its retry record is committed past what is unfinished below it.
                var until = story.Records.Select(record => below[record.Name]).Append(below.GetValueOrDefault($"{before.Log}@{before.Offset}")).Max();
                Repeat(story, retry == 0 ? "messages handled again" : "attempts made again", faults.Contains(before.FinishedAt) ? RepeatCause.Fault
                    : until < before.FinishedAt ? RepeatCause.Unexplained
                    : faults.Touches(before.FinishedAt, Math.Min(until, again.At)) ? RepeatCause.Fault   // it came before it could be committed
                    : RepeatCause.Ahead);
            }

            followed = Math.Max(0, here.Count - 1);
            VerifyForwarded(story, retry == 0 ? "blocked again"
                : "forwarded again",
                [.. story.Retries.Where(forwardedRecord => forwardedRecord.Retry == retry).DistinctBy(forwardedRecord => forwardedRecord.Due)], retry == 0 ? 1
                : story.Forwards(retry - 1), faults, below);
        }

        Republished += story.Retries.Count - story.Retries.DistinctBy(forwardedRecord => (forwardedRecord.Retry, forwardedRecord.Due)).Count();
    }

    private void VerifyInvocations(MessageStory story, ForwardedRecord record, Windows faults, Windows changes, long below)
    {
        var invocations = story.Of(record);
        for (var i = 1; i < invocations.Count; i++)
        {
            var (before, again) = (invocations[i - 1], invocations[i]);
            if (again.Attempt > before.Attempt)
            {
                continue;
            }

            Repeat(story, record.Retry == 0 ? "messages handled again" : "retry records handled again", faults.Contains(before.FinishedAt) ? RepeatCause.Fault
                : !story.Ends(before) && changes.Touches(before.FinishedAt, again.At) ? RepeatCause.BegunAgain
                : below < before.FinishedAt ? RepeatCause.Unexplained
                : faults.Touches(before.FinishedAt, Math.Min(below, again.At)) ? RepeatCause.Fault   // it came before it could be committed
                : record.Retry == 0 ? RepeatCause.Ahead : RepeatCause.AheadOfRetry);
        }
    }

    // More copies than there were failures to copy.
    private void VerifyForwarded(
        MessageStory story, string what, IReadOnlyList<ForwardedRecord> forwarded, int forwards, Windows faults, Dictionary<string, long> below)
    {
        for (var i = Math.Max(1, forwards); i < forwarded.Count; i++)
        {
            Repeat(story, what, forwarded.Any(forwardedRecord => faults.Contains(forwardedRecord.Written)) ? RepeatCause.Fault
                : story.Fate.Kind is FateKind.Poison && story.Records.Exists(record => below[record.Name] >= forwarded[0].Written) ? RepeatCause.Ahead
                : RepeatCause.Unexplained);
        }
    }

    private void Repeat(MessageStory story, string what, RepeatCause cause)
    {
        _repeats[cause] = Count(cause) + 1;
        _repeated[what] = _repeated.GetValueOrDefault(what) + 1;
        _marks.Add($"{cause}, {what}: {story}");
        if (cause is RepeatCause.Unexplained)
        {
            Example($"not explained, {what}: {story}");
        }
    }
}
