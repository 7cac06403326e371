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
        await using var group = await StartAsync(protocol);
        for (var round = 0; round < 8; round++)
        {
            var leaving = await group.StartAnotherAsync();
            var subscribing = leaving.SubscribeAsync<string>(group.Topic, static (_, _, _) => Task.CompletedTask);
            await Task.Delay(TimeSpan.FromMilliseconds(round * 70));   // each round somewhere else in its joining
            var report = await leaving.DisconnectAsync();
            await leaving.DisposeAsync();
            await subscribing.ContinueWith(static _ => { }, TaskScheduler.Default);
            await group.WaitUntilAloneAsync(round, report.Abandoned);
        }
    }

    // The service lives on, without a subscription.
    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Trait("Promise", "S12")]
    [Long]
    public async Task A_subscription_that_is_stopped_while_its_member_joins_holds_nothing(KafkaGroupProtocol protocol)
    {
        await using var group = await StartAsync(protocol);
        for (var round = 0; round < 8; round++)
        {
            await using var leaving = await group.StartAnotherAsync();
            var subscription = await leaving.SubscribeAsync<string>(group.Topic, static (_, _, _) => Task.CompletedTask);
            await Task.Delay(TimeSpan.FromMilliseconds(round * 70));
            await subscription.StopAsync();
            await group.WaitUntilAloneAsync(round, []);
        }
    }

    private async Task<TwoMembers> StartAsync(KafkaGroupProtocol protocol)
    {
        var group = new TwoMembers(broker, protocol, await broker.CreateTopicAsync(4), broker.NewGroup());
        await group.StartStayingAsync();
        return group;
    }

    /// <summary>A group with a member that stays, and one after the other that leaves.</summary>
    private sealed class TwoMembers(KafkaTestBroker broker, KafkaGroupProtocol protocol, string topic, string name) : IAsyncDisposable
    {
        private KafkaService _staying = null!;
        private ISubscription _stays = null!;

        public string Topic => topic;

        public Task<KafkaService> StartAnotherAsync() =>
            broker.StartAsync(name, options => (options.GroupProtocol, options.SessionTimeout) = (protocol, TimeSpan.FromSeconds(45)));

        public async Task StartStayingAsync()
        {
            _staying = await StartAnotherAsync();
            _stays = await _staying.SubscribeAsync<string>(topic, static (_, _, _) => Task.CompletedTask);
            await Waiting.Until(() => _stays.Assignment.Count == 4, "it has all partitions");
        }

        public async Task WaitUntilAloneAsync(int round, IReadOnlyList<string> abandoned)
        {
            IReadOnlyList<string> members = [];
            async Task<bool> IsAlone() => (members = await BrokerRequest.MembersOfAsync(broker.Brokers, name, protocol)).Count == 1
                && _stays.Assignment.Count == 4;
            var limit = abandoned.Count == 0 ? BeforeItsSessionEnds : AfterItsSessionEnded;
            try
            {
                await Waiting.Until(IsAlone, $"round {round}: the one that stays is alone", limit);
            }
            catch (TimeoutException)
            {
                Assert.Fail(
                    $"Round {round}, after {limit}: the group has {members.Count} members, and the one that stays has {_stays.Assignment.Count} of 4 partitions"
                    + $" (abandoned at the stop: {string.Join(", ", abandoned)}).");
            }
        }

        public ValueTask DisposeAsync() => _staying.DisposeAsync();
    }
}
