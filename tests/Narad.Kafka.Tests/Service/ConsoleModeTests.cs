using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Tests.Service;

/// <summary>Console mode says what is true: nothing is sent, nothing is delivered, and there is no address.</summary>
public sealed class ConsoleModeTests
{
    [Fact]
    public async Task What_is_only_logged_is_nowhere_called_sent_delivered_or_connected()
    {
        var log = new LogEvents();
        var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Console }, log);
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("g");
        await kafka.SendAsync("test-topic", "Hello World");
        var report = await kafka.DisconnectAsync();

        report.Should().BeEquivalentTo(new DisconnectReport(Delivered: 1, Failed: 0, Unknown: 0, []), "there Delivered counts what was logged");
        log.The(2031).Message.Should().Be("[DEV] Would send to test-topic: Hello World");
        log.The(2003).Message.Should().Be("Console producer ended: 1 logged and not sent, 0 failed, 0 unknown.");
        log.The(1014).Message.Should().Contain("1 logged and not sent");
        log.The(1013).Level.Should().Be(LogLevel.Information);
        log.All.Select(logged => logged.Message).Should().NotContain(message =>
            message.Contains("Sent to") || message.Contains("delivered") || message.Contains(", .") || message.Contains("[-1]")
                || message.Contains("Producer console connected"));
    }

    [Fact]
    public async Task A_broker_is_still_said_to_have_what_was_sent_to_it()
    {
        await using var service = await EmbeddedService.StartAsync();
        await service.SendAsync("orders", "x", partition: 0);
        await Waiting.Until(() => service.Log.Count(2030) == 1, "logged");
        await service.Kafka.DisconnectAsync();

        service.Log.The(2001).Message.Should().Contain("1 delivered");
        service.Log.The(1003).Message.Should().Contain("1 delivered");
        service.Log.Count(1000).Should().Be(1);
    }
}
