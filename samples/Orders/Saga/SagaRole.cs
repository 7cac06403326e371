using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Orders.Events;
using Orders.Storage;

namespace Orders.Saga;

/// <summary>Role <c>saga</c>: may run several times.</summary>
internal static class SagaRole
{
    public const string Group = "order-saga";

    public static void AddOrderSaga(this NaradKafkaBuilder kafka)
    {
        kafka.Services.AddOptions<SagaOptions>().BindConfiguration(SagaOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        kafka.Services.AddHostedService<DeadlineWatcher>();
        kafka
            .AddSubscription(
                Topics.Events,
                static types => types
                    .On<OrderCreated, OrderSaga>(OrderCreated.Type)
                    .On<CancellationRequested, OrderSaga>(CancellationRequested.Type)
                    .Otherwise(UnknownTypePolicy.Skip),   // what the saga itself appended
                Group,
                Configure)
            .AddSubscription<OrderReply, OrderSaga>(Topics.Replies, Group, Configure);
    }

    private static void Configure(SubscriptionOptions subscription)
    {
        subscription.HandleOnce();

        // Another message of the order was faster: what it changed is read, and decided upon, again.
        subscription.Retry.InMemory.MaxAttempts = 10;
        subscription.Retry.InMemory.Delay = TimeSpan.FromMilliseconds(20);
        subscription.Retry.InMemory.BackoffType = DelayBackoffType.Exponential;
        subscription.Retry.InMemory.UseJitter = true;
        subscription.Retry.InMemory.ShouldHandle = static failure => failure is OrderConflictException;
    }
}
