using System.Globalization;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Members that come and go, in good order and not.</summary>
internal static class Churn
{
    private const int Seconds = 60;

    public static Task RangeAsync(TestRun run) => EverySecondAsync(run, options => options.Assignor = KafkaAssignor.Range);

    public static Task CooperativeAsync(TestRun run) => EverySecondAsync(run, _ => { });

    public static Task ConsumerAsync(TestRun run) => EverySecondAsync(run, options => options.GroupProtocol = KafkaGroupProtocol.Consumer);

    public static async Task StaticAsync(TestRun run)
    {
        Action<KafkaOptions> As(int identity) => options => options.GroupInstanceId = string.Create(CultureInfo.InvariantCulture, $"instance-{identity}");

        // Three identities; each second one of the last two goes, or comes back as whom it was.
        await run.JoinAsync(As(1));
        var coming = new Member?[] { await run.JoinAsync(As(2)), await run.JoinAsync(As(3)) };
        await run.SendAsync();
        await ForAMinuteAsync(run, async () =>
        {
            var which = run.Random.Next(coming.Length);
            if (coming[which] is { } member)
            {
                await run.LeaveAsync(member);
                coming[which] = null;
            }
            else
            {
                coming[which] = await run.JoinAsync(As(which + 2));
            }
        });
    }

    public static async Task KillNineAsync(TestRun run)
    {
        await run.JoinAsync();
        await run.SendAsync();
        for (var round = 1; round <= 3; round++)
        {
            var child = run.StartChild();
            var number = run.Children[^1].Number;
            var before = 0;
            await Cluster.KafkaCluster.Until(
                () =>
                {
                    run.Collect();
                    before = run.Recorder.Handlings.Count(handling => handling.Member == number);
                    return before > 1_500;   // some of it committed
                },
                "the child handles messages",
                TimeSpan.FromSeconds(60));
            await run.KillAsync(child);
            run.Say($"killed a consuming process after {run.Recorder.Handlings.Count(handling => handling.Member == number)} messages; {run.Status()}");
            await Task.Delay(TimeSpan.FromSeconds(8));   // until the group has noticed
        }
    }

    public static async Task TakeOverAsync(TestRun run)
    {
        var first = await run.JoinAsync(options => options.GroupInstanceId = "the-one");
        await run.SendAsync();
        await Task.Delay(TimeSpan.FromSeconds(5));
        var at = System.Diagnostics.Stopwatch.GetTimestamp();
        var second = await run.JoinAsync(options => options.GroupInstanceId = "the-one");
        await Cluster.KafkaCluster.Until(() => first.Service.Completion.IsCompleted, "the first member is told", TimeSpan.FromSeconds(60));
        run.Recorder.Fault(at, TimeSpan.FromSeconds(2), TimeSpan.Zero);
        run.Check(first.Service.Completion.IsFaulted
            && first.Subscriptions.All(subscription => subscription.State is SubscriptionState.Faulted),
            $"the first member's subscriptions are faulted: {first.Subscriptions[0].Error?.Message}");
        await Cluster.KafkaCluster.Until(() => second.Partitions > 0, "the second member has the partitions", TimeSpan.FromSeconds(60));
        await Task.Delay(TimeSpan.FromSeconds(5));
    }

    private static async Task EverySecondAsync(TestRun run, Action<KafkaOptions> configure)
    {
        await run.JoinAsync(configure);
        await run.JoinAsync(configure);
        await run.SendAsync();
        var coming = new Queue<Member>();
        await ForAMinuteAsync(run, async () =>
        {
            // Up to three more than the two that stay.
            if (coming.Count == 0 || (coming.Count < 3 && run.Random.Next(2) == 0))
            {
                coming.Enqueue(await run.JoinAsync(configure));
            }
            else
            {
                await run.LeaveAsync(coming.Dequeue());
            }
        });
    }

    private static async Task ForAMinuteAsync(TestRun run, Func<Task> change)
    {
        var started = DateTime.UtcNow;
        var changes = 0;
        while (DateTime.UtcNow - started < TimeSpan.FromSeconds(Seconds))
        {
            await Task.WhenAll(change(), Task.Delay(1_000));
            changes++;
        }

        run.Say($"members joined or left {changes} times in {(DateTime.UtcNow - started).TotalSeconds:0} s; {run.Status()}");
    }
}
