using Narad.Kafka.Soak.Verification;

namespace Narad.Kafka.Soak.Load;

/// <summary>Failures, poison and messages that ask for more time, with a retry in memory and a retry topic in which order ends.</summary>
internal sealed class FailingWork() : Work(Kind, Fates.Mixed)
{
    public const string Kind = "failing";

    public override Task<ISubscription> SubscribeAsync(KafkaService service, string topic, string group, int member, Action<Invocation> invoked) =>
        service.SubscribeAsync<FailingHandler.Message>(
            topic,
            new FailingHandler(member, Fates, invoked).HandleAsync,
            group,
            subscription =>
            {
                subscription.Retry.InMemory.MaxAttempts = Fates.InMemory;
                subscription.Retry.Topic.MaxAttempts = Fates.Delays.Count;
                subscription.Retry.Topic.DelayGenerator = attempt => Fates.Delays[Math.Min(attempt, Fates.Delays.Count) - 1];
                subscription.Retry.AllowReorder = true;
                subscription.DeadLetter.Enabled = true;
            });
}
