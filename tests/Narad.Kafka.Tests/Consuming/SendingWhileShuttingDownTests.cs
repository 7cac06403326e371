namespace Narad.Kafka.Tests.Consuming;

public sealed class SendingWhileShuttingDownTests
{
    [Fact, Trait("Promise", "S4"), Trait("Promise", "S12")]
    public async Task What_a_running_handler_sends_during_shutdown_is_delivered()
    {
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Embedded });
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("shutting-down");
        var started = new TaskCompletionSource();
        var disconnecting = new TaskCompletionSource();
        SendResult? sent = null;
        await kafka.SubscribeAsync<string>("orders", async (_, _, token) =>
        {
            started.SetResult();
            await disconnecting.Task;
            sent = await kafka.SendAsync("bills", "a bill", cancellationToken: token);
        });
        await kafka.SendAsync("orders", "an order");
        await started.Task.WaitAsync(Waiting.Deadline);

        var disconnected = kafka.DisconnectAsync();
        disconnecting.SetResult();
        var report = await disconnected;

        sent.Should().NotBeNull();
        sent!.Value.Topic.Should().Be("bills");
        report.Should().BeEquivalentTo(new { Delivered = 2L, Failed = 0L, Unknown = 0L });
        report.Abandoned.Should().BeEmpty();
        var late = async () => await kafka.SendAsync("bills", "too late");
        await late.Should().ThrowAsync<KafkaNotConnectedException>().WithMessage("*not connected*");
    }
}
