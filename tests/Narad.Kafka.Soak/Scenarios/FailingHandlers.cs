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

    /// <summary>Ends the load, lets the members finish and leave, and adds up; with what the topics and the dead-letter topics hold.</summary>
    public static async Task<(FailuresVerdict Verdict, IReadOnlyList<CopyRecord> Records, IReadOnlyList<CopyRecord> DeadLetters)> AddUpAsync(Bed bed)
    {
        await bed.EndLoadAsync();
        await SettleAsync(bed);
        await bed.LeaveAllAsync();
        await bed.CheckCommittedAsync(bed.Group, bed.Topics, await TopicReader.EndsAsync(bed.Cluster, bed.Topics));
        await bed.CheckCommittedAsync(RetryGroup(bed), bed.RetryTopics, await TopicReader.EndsAsync(bed.Cluster, bed.RetryTopics));
        var records = await TopicReader.ReadCopiesAsync(bed.Cluster, bed.Topics);
        var deadLetters = await TopicReader.ReadCopiesAsync(bed.Cluster, bed.DeadLetterTopics);
        var verdict = FailuresVerdict.Of(bed.Ledger, bed.Work!.Fates, bed.Work.Parks, records, await TopicReader.ReadCopiesAsync(bed.Cluster, bed.RetryTopics), deadLetters);
        foreach (var note in verdict.Notes)
        {
            bed.Events.Note(note);
        }

        return (verdict, records, deadLetters);
    }

    private static string RetryGroup(Bed bed) => bed.Work!.RetryGroup(bed.Group);

    // Until no retry waits: both groups have committed to the ends of their topics. Gives up when nothing moves any more.
    private static async Task SettleAsync(Bed bed)
    {
        var began = Stopwatch.GetTimestamp();
        var progressed = began;
        var before = (-1L, -1L, -1);
        while (true)
        {
            bed.Collect();
            var main = await bed.DistanceAsync(bed.Group, bed.Topics, await TopicReader.EndsAsync(bed.Cluster, bed.Topics));
            var retries = await bed.DistanceAsync(RetryGroup(bed), bed.RetryTopics, await TopicReader.EndsAsync(bed.Cluster, bed.RetryTopics));
            if (main.Behind == 0 && retries.Behind == 0)
            {
                bed.Say($"everything is finished and committed {Stopwatch.GetElapsedTime(began).TotalSeconds:0} s after the load ended; {bed.Status()}");
                return;
            }

            var now = (main.Behind, retries.Behind, bed.Ledger.Invocations.Count);
            if (now != before)
            {
                (before, progressed) = (now, Stopwatch.GetTimestamp());
            }

            if (Stopwatch.GetElapsedTime(progressed) > NoProgress)
            {
                bed.Check(false, $"both groups commit to the ends of their topics: {main.Behind} and {retries.Behind} messages are left, and nothing moved for {NoProgress.TotalSeconds} s");
                return;
            }

            await Task.Delay(1_000);
        }
    }
}
