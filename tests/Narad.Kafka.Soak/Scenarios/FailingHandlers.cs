using System.Diagnostics;
using Narad.Kafka.Soak.Verification;
using Narad.Kafka.Soak.Cluster;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>
/// The soak with messages that fail in their handlers and messages that cannot be read: through the retry topic and into the dead-letter topic, under the same
/// faults.
/// </summary>
internal static class FailingHandlers
{
    private const int Partitions = 6;
    // What nothing disturbs is seen too: after a fault the group needs twelve seconds until it counts as recovered.
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(18);
    private static readonly TimeSpan NoProgress = TimeSpan.FromSeconds(90);

    public static Scenario For(TimeSpan time) => new(
        "failures",
        $"random faults for {time.TotalMinutes:0.#} minutes, 5 % failing messages, 1 % poison: each is handled or a dead letter, none too early",
        run => RandomFaults.RunAsync(run, time, mostPartitions: Partitions, Calm))
    {
        Partitions = Partitions,
        Work = static _ => new FailingWork(),
        FinishAsync = FinishAsync,
    };

    public static async Task<IVerdict> FinishAsync(TestRun run) => (await AddUpAsync(run)).Verdict;

    /// <summary>
    /// Ends the load, lets the members finish and leave, and adds up; with what the topics, the retry topics and the dead-letter topics hold.
    /// </summary>
    public static async Task<(FailuresVerdict Verdict, IReadOnlyList<ForwardedRecord> Records, IReadOnlyList<ForwardedRecord> Retries,
        IReadOnlyList<ForwardedRecord> DeadLetters)> AddUpAsync(TestRun run)
    {
        await run.EndLoadAsync();
        await SettleAsync(run, (run.Group, run.Topics), (RetryGroup(run), run.RetryTopics));
        await run.LeaveAllAsync();
        await run.CheckCommittedAsync(run.Group, run.Topics, await TopicReader.EndsAsync(run.Cluster, run.Topics));
        await run.CheckCommittedAsync(RetryGroup(run), run.RetryTopics, await TopicReader.EndsAsync(run.Cluster, run.RetryTopics));
        var records = await TopicReader.ReadForwardedAsync(run.Cluster, run.Topics);
        var retries = await TopicReader.ReadForwardedAsync(run.Cluster, run.RetryTopics);
        var deadLetters = await TopicReader.ReadForwardedAsync(run.Cluster, run.DeadLetterTopics);
        var verdict = FailuresVerdict.Of(run.Recorder, run.Work!.Fates, run.Work.PreservesKeyOrder, records, retries, deadLetters, run.Deleted);
        foreach (var mark in verdict.Marks)
        {
            run.Events.Note(mark);
        }

        return (verdict, records, retries, deadLetters);
    }

    private static string RetryGroup(TestRun run) => run.Work!.RetryGroup(run.Group);

    /// <summary>Waits until these groups have committed to the ends of these topics. Gives up when nothing moves any more.</summary>
    public static async Task SettleAsync(TestRun run, params (string Group, IReadOnlyList<string> Topics)[] all)
    {
        var began = Stopwatch.GetTimestamp();
        var progressed = began;
        var before = (-1L, -1);
        while (true)
        {
            run.Collect();
            long behind = 0;
            foreach (var (group, topics) in all)
            {
                behind += (await run.DistanceAsync(group, topics, await TopicReader.EndsAsync(run.Cluster, topics))).Behind;
            }

            if (behind == 0)
            {
                run.Say($"everything is finished and committed {Stopwatch.GetElapsedTime(began).TotalSeconds:0} s after the load ended; {run.Status()}");
                return;
            }

            var now = (behind, run.Recorder.Invocations.Count);
            if (now != before)
            {
                (before, progressed) = (now, Stopwatch.GetTimestamp());
            }

            if (Stopwatch.GetElapsedTime(progressed) > NoProgress)
            {
                run.Check(false,
                    $"everything is committed to the ends of the topics: {behind} messages are left, and nothing moved for {NoProgress.TotalSeconds} s");
                return;
            }

            await Task.Delay(1_000);
        }
    }
}
