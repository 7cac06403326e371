using System.Diagnostics;
using Narad.Kafka.Soak.Books;
using Narad.Kafka.Soak.Cluster;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>The soak with messages that fail in their handlers and messages that cannot be read: through the retry topic and into the dead-letter topic, under the same faults.</summary>
internal static class FailingHandlers
{
    private const int Partitions = 6;
    // What nothing disturbs is seen too: after a fault the group needs twelve seconds until it counts as recovered.
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(18);
    private static readonly TimeSpan NoProgress = TimeSpan.FromSeconds(90);

    public static Scenario For(TimeSpan time) => new(
        "failures",
        $"random faults for {time.TotalMinutes:0.#} minutes, 5 % failing messages, 1 % poison: each is handled or a dead letter, none too early",
        bed => RandomFaults.RunAsync(bed, time, mostPartitions: Partitions, Calm))
    {
        Partitions = Partitions,
        Work = static _ => new FailingWork(),
        FinishAsync = FinishAsync,
    };

    public static async Task<IVerdict> FinishAsync(Bed bed) => (await AddUpAsync(bed)).Verdict;

    /// <summary>Ends the load, lets the members finish and leave, and adds up; with what the topics, the retry topics and the dead-letter topics hold.</summary>
    public static async Task<(FailuresVerdict Verdict, IReadOnlyList<CopyRecord> Records, IReadOnlyList<CopyRecord> Retries, IReadOnlyList<CopyRecord> DeadLetters)> AddUpAsync(Bed bed)
    {
        await bed.EndLoadAsync();
        await SettleAsync(bed, (bed.Group, bed.Topics), (RetryGroup(bed), bed.RetryTopics));
        await bed.LeaveAllAsync();
        await bed.CheckCommittedAsync(bed.Group, bed.Topics, await TopicReader.EndsAsync(bed.Cluster, bed.Topics));
        await bed.CheckCommittedAsync(RetryGroup(bed), bed.RetryTopics, await TopicReader.EndsAsync(bed.Cluster, bed.RetryTopics));
        var records = await TopicReader.ReadCopiesAsync(bed.Cluster, bed.Topics);
        var retries = await TopicReader.ReadCopiesAsync(bed.Cluster, bed.RetryTopics);
        var deadLetters = await TopicReader.ReadCopiesAsync(bed.Cluster, bed.DeadLetterTopics);
        var verdict = FailuresVerdict.Of(bed.Ledger, bed.Work!.Fates, bed.Work.Parks, records, retries, deadLetters, bed.Deleted);
        foreach (var note in verdict.Notes)
        {
            bed.Events.Note(note);
        }

        return (verdict, records, retries, deadLetters);
    }

    private static string RetryGroup(Bed bed) => bed.Work!.RetryGroup(bed.Group);

    /// <summary>Waits until these groups have committed to the ends of these topics. Gives up when nothing moves any more.</summary>
    public static async Task SettleAsync(Bed bed, params (string Group, IReadOnlyList<string> Topics)[] all)
    {
        var began = Stopwatch.GetTimestamp();
        var progressed = began;
        var before = (-1L, -1);
        while (true)
        {
            bed.Collect();
            long behind = 0;
            foreach (var (group, topics) in all)
            {
                behind += (await bed.DistanceAsync(group, topics, await TopicReader.EndsAsync(bed.Cluster, topics))).Behind;
            }

            if (behind == 0)
            {
                bed.Say($"everything is finished and committed {Stopwatch.GetElapsedTime(began).TotalSeconds:0} s after the load ended; {bed.Status()}");
                return;
            }

            var now = (behind, bed.Ledger.Invocations.Count);
            if (now != before)
            {
                (before, progressed) = (now, Stopwatch.GetTimestamp());
            }

            if (Stopwatch.GetElapsedTime(progressed) > NoProgress)
            {
                bed.Check(false, $"everything is committed to the ends of the topics: {behind} messages are left, and nothing moved for {NoProgress.TotalSeconds} s");
                return;
            }

            await Task.Delay(1_000);
        }
    }
}
