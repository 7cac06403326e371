using System.Globalization;
using Confluent.Kafka;
using Narad.Kafka.Soak.Verification;
using Narad.Kafka.Soak.Cluster;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>
/// Messages that are read, worked on and written in transactions, while processes are killed or stand still and a member comes and goes. What happens when is
/// drawn from the seed before it begins.
/// </summary>
internal static class ExactlyOnce
{
    private const int Messages = 20_000;
    private const int Kills = 20;
    private const int Stops = 3;
    private const int Processes = 3;

    // Two rebalances a minute.
    private static readonly TimeSpan Change = TimeSpan.FromSeconds(30);

    private enum What
    {
        JoinOrLeave,
        Kill,
        Stop,
    }

    public static Scenario For(string name, string outcome, bool isStatic) => new(name, outcome, RunAsync)
    {
        Topics = 1,
        Rate = 110,
        Work = seed => new OnceWork(seed, isStatic),
        FinishAsync = FinishAsync,
    };

    private static async Task RunAsync(TestRun run)
    {
        var plan = Plan(run.Random);
        var children = Enumerable.Range(0, Processes).Select(which => run.StartChild(Identity(which))).ToArray();
        Member? coming = null;
        await run.SendAsync(most: Messages);
        var started = DateTime.UtcNow;
        var (kills, stops, changes) = (0, 0, 0);
        foreach (var (when, what, which, pause) in plan)
        {
            var wait = started + when - DateTime.UtcNow;
            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait);
            }

            switch (what)
            {
                case What.Kill:
                    var number = run.Children.Single(one => one.Child == children[which]).Number;
                    await run.KillAsync(children[which]);
                    kills++;
                    run.Say($"m{number} ({Identity(which)}) was killed ({kills}); {run.Status()}");
                    await Task.Delay(pause);
                    children[which] = run.StartChild(Identity(which));
                    break;
                case What.Stop:
                    await run.StopAsync(children[which]);
                    await Task.Delay(MemberOptions.Session + pause);
                    await run.ContinueAsync(children[which]);
                    stops++;
                    break;
                case What.JoinOrLeave when coming is not null:
                    var report = await run.LeaveAsync(coming);
                    run.Say($"m{coming.Number} left{string.Concat(report.Abandoned.Select(left => $"; abandoned {left}"))}");
                    coming = null;
                    changes++;
                    break;
                default:
                    coming = await run.JoinAsync(options => run.Work!.Be("comes-and-goes", options));
                    changes++;
                    run.Say($"m{coming.Number} joined");
                    break;
            }
        }

        await KafkaCluster.Until(() => run.Recorder.Sent >= Messages, "all messages are sent", TimeSpan.FromMinutes(5));
        run.Say($"{(DateTime.UtcNow - started).TotalSeconds:0} s: killed {kills} times, stood still beyond the session {stops} times, joined or left "
            + $"{changes} times; {run.Status()}");
        run.Check(kills == Kills && stops == Stops, $"{Kills} kills and {Stops} stops came about");
    }

    private static string Identity(int which) => string.Create(CultureInfo.InvariantCulture, $"instance-{which + 1}");

    private static List<(TimeSpan When, What What, int Which, TimeSpan Pause)> Plan(Random random)
    {
        var faults = Enumerable.Repeat(What.Kill, Kills).Concat(Enumerable.Repeat(What.Stop, Stops)).ToArray();
        random.Shuffle(faults);
        var plan = new List<(TimeSpan When, What What, int Which, TimeSpan Pause)>();
        var at = TimeSpan.FromSeconds(8);
        foreach (var fault in faults)
        {
            var pause = TimeSpan.FromMilliseconds(fault is What.Kill ? random.Next(200, 3_000) : random.Next(2_000, 5_000));
            plan.Add((at, fault, random.Next(Processes), pause));
            at += TimeSpan.FromMilliseconds(random.Next(4_000, 13_000)) + (fault is What.Stop ? MemberOptions.Session + pause : TimeSpan.Zero);
        }

        for (var change = Change / 2; change < at; change += Change)
        {
            plan.Add((change, What.JoinOrLeave, 0, TimeSpan.Zero));
        }

        return [.. plan.OrderBy(step => step.When)];
    }

    private static async Task<IVerdict> FinishAsync(TestRun run)
    {
        await run.EndLoadAsync();
        await FailingHandlers.SettleAsync(run, (run.Group, run.Topics));
        await run.LeaveAllAsync();
        await run.CheckCommittedAsync(run.Group, run.Topics, await TopicReader.EndsAsync(run.Cluster, run.Topics));
        return OnceVerdict.Of(
            run.Recorder,
            run.Work!.Fates,
            await TopicReader.ReadForwardedAsync(run.Cluster, run.Topics),
            await TopicReader.ReadForwardedAsync(run.Cluster, run.OutputTopics),
            await TopicReader.ReadForwardedAsync(run.Cluster, run.DeadLetterTopics),
            await TopicReader.ReadForwardedAsync(run.Cluster, [.. run.OutputTopics, .. run.DeadLetterTopics], IsolationLevel.ReadUncommitted));
    }
}
