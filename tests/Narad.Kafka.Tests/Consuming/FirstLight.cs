using System.Collections.Concurrent;

namespace Narad.Kafka.Tests.Consuming;

public class FirstLight
{
    private sealed record Event(string UserId, int N);

    [Fact]
    public async Task Messages_arrive()
    {
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Embedded });
        await kafka.Init().ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("g");
        var got = new ConcurrentQueue<Event>();
        await kafka.SubscribeAsync<Event>("events", (e, c, t) =>
        {
            got.Enqueue(e);
            return Task.CompletedTask;
        });
        for (var i = 0; i < 100; i++)
        {
            await kafka.SendAsync("events", new Event("u" + (i % 5), i), "u" + (i % 5));
        }

        await Waiting.Until(() => got.Count == 100, "100 messages handled");
        var report = await kafka.DisconnectAsync();
        report.Abandoned.Should().BeEmpty();
        got.Select(e => e.N).Should().OnlyHaveUniqueItems();
    }
}
