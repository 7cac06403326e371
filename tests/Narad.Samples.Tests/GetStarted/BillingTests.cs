using Narad.Kafka;
using Narad.Kafka.Testing;
using Xunit;

namespace Narad.Samples.Tests.GetStarted;

public sealed record OrderPlaced(string OrderId);

public sealed class BillOrder(ICollection<string> billed) : IMessageHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced message, MessageContext context, CancellationToken cancellationToken)
    {
        billed.Add(message.OrderId);
        return Task.CompletedTask;
    }
}

public sealed class BillingTests(EmbeddedKafka embedded) : IClassFixture<EmbeddedKafka>
{
    [Fact]
    public async Task A_placed_order_is_billed()
    {
        var billed = new List<string>();

        await new BillOrder(billed).HandleAsync(new OrderPlaced("o-1"), TestMessageContext.Create("orders", key: "customer-7"), CancellationToken.None);

        Assert.Equal(["o-1"], billed);
    }

    [Fact]
    public async Task Orders_that_are_sent_are_billed()
    {
        var billed = new List<string>();
        var handler = new BillOrder(billed);
        var harness = new KafkaHarness();
        await using var kafka = harness.Create(embedded.CreateOptions());
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("billing");
        await kafka.SubscribeAsync<OrderPlaced>("orders", handler.HandleAsync);

        await kafka.SendAsync("orders", new OrderPlaced("o-1"));

        await harness.WaitForHandledAsync<OrderPlaced>(order => order.OrderId == "o-1");   // with a deadline, without a sleep
        Assert.Equal(["o-1"], billed);
    }
}
