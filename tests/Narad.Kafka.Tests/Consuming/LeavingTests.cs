using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>Members of a real group that leave while it is not at rest.</summary>
public sealed class LeavingTests(KafkaTestBroker broker) : IClassFixture<KafkaTestBroker>
{
    // Where a shutdown took too long on a busy machine, it says what it abandoned, and the broker waits for the session.
    private static readonly TimeSpan BeforeItsSessionEnds = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan AfterItsSessionEnded = TimeSpan.FromSeconds(80);

    // One that had sent its request to join, and was not heard of again, would hold its partitions until its session ended, after 45 s.
    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Trait("Promise", "S12")]
    [Long]
    public async Task A_member_that_leaves_while_it_joins_holds_nothing(KafkaGroupProtocol protocol)
    {
        var (topic, group) = (await broker.CreateTopicAsync(4), broker.NewGroup());
        void Configure(KafkaOptions options) => (options.GroupProtocol, options.SessionTimeout) = (protocol, TimeSpan.FromSeconds(45));
        await using var staying = await broker.StartAsync(group, Configure);
        var stays = await staying.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask);
        await Waiting.Until(() => stays.Assignment.Count == 4, "it has all partitions");
        for (var round = 0; round < 8; round++)
        {
            var leaving = await broker.StartAsync(group, Configure);
            var subscribing = leaving.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask);
            await Task.Delay(TimeSpan.FromMilliseconds(round * 70));   // each round somewhere else in its joining
            var report = await leaving.DisconnectAsync();
            await leaving.DisposeAsync();
            await subscribing.ContinueWith(static _ => { }, TaskScheduler.Default);
            IReadOnlyList<string> members = [];
            async Task<bool> IsAlone() => (members = await BrokerRequest.MembersOfAsync(broker.Brokers, group, protocol)).Count == 1 && stays.Assignment.Count == 4;
            var limit = report.Abandoned.Count == 0 ? BeforeItsSessionEnds : AfterItsSessionEnded;
            try
            {
                await Waiting.Until(IsAlone, $"round {round}: the one that stays is alone", limit);
            }
            catch (TimeoutException)
            {
                Assert.Fail(
                    $"Round {round}, after {limit}: the group has {members.Count} members, and the one that stays has {stays.Assignment.Count} of 4 partitions"
                    + $" (abandoned at the stop: {string.Join(", ", report.Abandoned)}).");
            }
        }
    }
}
