using System.Globalization;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Members that come and go, in good order and not.</summary>
internal static class Churn
{
    private const int Seconds = 60;

    public static Task RangeAsync(Bed bed) => EverySecondAsync(bed, options => options.Assignor = KafkaAssignor.Range);

    public static Task CooperativeAsync(Bed bed) => EverySecondAsync(bed, _ => { });

    public static Task ConsumerAsync(Bed bed) => EverySecondAsync(bed, options => options.GroupProtocol = KafkaGroupProtocol.Consumer);

    public static async Task StaticAsync(Bed bed)
    {
        Action<KafkaOptions> As(int identity) => options => options.GroupInstanceId = string.Create(CultureInfo.InvariantCulture, $"instance-{identity}");

        // Three identities; each second one of the last two goes, or comes back as whom it was.
        await bed.JoinAsync(As(1));
        var coming = new Member?[] { await bed.JoinAsync(As(2)), await bed.JoinAsync(As(3)) };
        await bed.SendAsync();
        await ForAMinuteAsync(bed, async () =>
        {
            var which = bed.Random.Next(coming.Length);
            if (coming[which] is { } member)
            {
                await bed.LeaveAsync(member);
                coming[which] = null;
            }
            else
            {
                coming[which] = await bed.JoinAsync(As(which + 2));
            }
        });
    }

    public static async Task KillNineAsync(Bed bed)
    {
        await bed.JoinAsync();
        await bed.SendAsync();
        for (var round = 1; round <= 3; round++)
        {
            var child = bed.StartChild();
            var number = bed.Children[^1].Number;
            var before = 0;
            await Cluster.KafkaCluster.Until(
                () =>
                {
                    bed.Collect();
                    before = bed.Ledger.Handlings.Count(handling => handling.Member == number);
                    return before > 1_500;   // some of it committed
                },
                "the child handles messages",
                TimeSpan.FromSeconds(60));
            await bed.KillAsync(child);
            bed.Say($"killed a consuming process after {bed.Ledger.Handlings.Count(handling => handling.Member == number)} messages; {bed.Status()}");
            await Task.Delay(TimeSpan.FromSeconds(8));   // until the group has noticed
        }
    }

    public static async Task TakeOverAsync(Bed bed)
    {
        var first = await bed.JoinAsync(options => options.GroupInstanceId = "the-one");
        await bed.SendAsync();
        await Task.Delay(TimeSpan.FromSeconds(5));
        var at = System.Diagnostics.Stopwatch.GetTimestamp();
        var second = await bed.JoinAsync(options => options.GroupInstanceId = "the-one");
        await Cluster.KafkaCluster.Until(() => first.Service.Completion.IsCompleted, "the first member is told", TimeSpan.FromSeconds(60));
        bed.Ledger.Fault(at, TimeSpan.FromSeconds(2), TimeSpan.Zero);
        bed.Check(first.Service.Completion.IsFaulted && first.Subscriptions.All(subscription => subscription.State is SubscriptionState.Faulted), $"the first member's subscriptions are faulted: {first.Subscriptions[0].Error?.Message}");
        await Cluster.KafkaCluster.Until(() => second.Partitions > 0, "the second member has the partitions", TimeSpan.FromSeconds(60));
        await Task.Delay(TimeSpan.FromSeconds(5));
    }

    private static async Task EverySecondAsync(Bed bed, Action<KafkaOptions> configure)
    {
        await bed.JoinAsync(configure);
        await bed.JoinAsync(configure);
        await bed.SendAsync();
        var coming = new Queue<Member>();
        await ForAMinuteAsync(bed, async () =>
        {
            // Up to three more than the two that stay.
            if (coming.Count == 0 || (coming.Count < 3 && bed.Random.Next(2) == 0))
            {
                coming.Enqueue(await bed.JoinAsync(configure));
            }
            else
            {
                await bed.LeaveAsync(coming.Dequeue());
            }
        });
    }

    private static async Task ForAMinuteAsync(Bed bed, Func<Task> change)
    {
        var started = DateTime.UtcNow;
        var changes = 0;
        while (DateTime.UtcNow - started < TimeSpan.FromSeconds(Seconds))
        {
            await Task.WhenAll(change(), Task.Delay(1_000));
            changes++;
        }

        bed.Say($"members joined or left {changes} times in {(DateTime.UtcNow - started).TotalSeconds:0} s; {bed.Status()}");
    }
}
