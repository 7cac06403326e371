using Narad.Kafka.Soak.Verification;

namespace Narad.Kafka.Soak.Load;

/// <summary>One message in ten fails, some for good, and what is behind it on its key waits for it.</summary>
internal sealed class KeyOrderWork(int seed, KafkaGroupProtocol protocol)
    : Work(protocol is KafkaGroupProtocol.Consumer ? Kind + "-consumer" : Kind, FatesOf(seed))
{
    public const string Kind = "key-order";

    public override bool PreservesKeyOrder => true;

    public override string RetryGroup(string group) => group;

    public override void Configure(KafkaOptions options)
    {
        base.Configure(options);
        options.GroupProtocol = protocol;
        if (protocol is not KafkaGroupProtocol.Consumer)
        {
            options.Assignor = KafkaAssignor.Range;
        }
    }

    public override Task<ISubscription> SubscribeAsync(KafkaService service, string topic, string group, int member, Action<Invocation> invoked) =>
        service.SubscribeAsync<FailingHandler.Message>(
            topic,
            new FailingHandler(member, Fates, invoked).HandleAsync,
            group,
            subscription =>
            {
                subscription.Order = MessageOrder.ByKey;
                subscription.Retry.Topic.MaxAttempts = Fates.Delays.Count;
                subscription.Retry.Topic.DelayGenerator = attempt => Fates.Delays[Math.Min(attempt, Fates.Delays.Count) - 1];
                subscription.Retry.PreserveKeyOrder = true;
                subscription.DeadLetter.Enabled = true;
            });

    private static Fates FatesOf(int seed) => new(
        0,
        [TimeSpan.FromSeconds(0.3), TimeSpan.FromSeconds(0.6), TimeSpan.FromSeconds(1.2)],
        [(3, FateKind.Poison, 0), (12, FateKind.Fails, 3), (40, FateKind.Recovers, 1), (25, FateKind.Recovers, 2), (20, FateKind.Recovers, 3)],
        seed);
}
