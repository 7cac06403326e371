using System.Text.Json.Nodes;

namespace Narad.Kafka.Tests.Service;

/// <summary>Which overload a call binds to, and what becomes of collections.</summary>
public sealed class CollectionTests
{
    private static readonly int[] Numbers = [1, 2, 3];

    [Fact]
    public async Task A_collection_throws_and_names_SendMany_unless_its_type_is_given()
    {
        await using var service = await EmbeddedService.StartAsync();
        var kafka = service.Kafka;
        var handled = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await kafka.SubscribeAsync<string>("t", (message, _, _) =>
        {
            handled.Enqueue(message);
            return Task.CompletedTask;
        }, configure: options => options.Order = MessageOrder.ByPartition);

        Func<Task>[] refused =
        [
            () => kafka.SendAsync("t", new List<int> { 1 }).AsTask(),
            () => kafka.SendAsync("t", Numbers).AsTask(),
            () => kafka.SendAsync("t", Numbers.Where(number => number > 1)).AsTask(),
            () => kafka.SendAsync("t", new HashSet<string> { "a" }).AsTask(),
            () => ((IKafkaService)kafka).SendAsync("t", Numbers).AsTask(),
        ];
        foreach (var send in refused)
        {
            (await FluentActions.Awaiting(send).Should().ThrowAsync<ArgumentException>()).Which.Message.Should().Contain("SendManyAsync")
                .And.Contain("SendAsync<");
        }

        var partition = new SendOptions { Partition = 0 };
        await kafka.SendAsync<int[]>("t", Numbers, options: partition);
        await kafka.SendAsync("t", new Dictionary<string, int>(StringComparer.Ordinal) { ["a"] = 1 }, options: partition);
        await kafka.SendAsync("t", new JsonObject { ["b"] = 2 }, options: partition);
        await kafka.SendAsync("t", new JsonArray(1, 2), options: partition);
        await kafka.SendAsync("t", "as it is", options: partition);
        await kafka.SendAsync("t", "bytes"u8.ToArray(), options: partition);
        await kafka.SendAsync("t", new ReadOnlyMemory<byte>("memory"u8.ToArray()), options: partition);
        await kafka.SendAsync("t", new { Text = "json" }, options: partition);
        await Waiting.Until(() => handled.Count == 8, "handled");
        handled.Should().Equal("[1,2,3]", """{"a":1}""", """{"b":2}""", "[1,2]", "as it is", "bytes", "memory", """{"text":"json"}""");
    }

    [Fact]
    public async Task Null_throws_and_names_the_tombstone()
    {
        await using var service = await EmbeddedService.StartAsync();
        Func<Task>[] nulls =
        [
            () => service.Kafka.SendAsync("t", (string)null!).AsTask(),
            () => service.Kafka.SendAsync("t", (byte[])null!).AsTask(),
            () => service.Kafka.SendAsync("t", (List<int>)null!).AsTask(),
            () => service.Kafka.SendAsync("t", (object)null!).AsTask(),
        ];
        foreach (var send in nulls)
        {
            (await FluentActions.Awaiting(send).Should().ThrowAsync<ArgumentNullException>()).Which.Message.Should().Contain("SendTombstoneAsync");
        }

        await FluentActions.Awaiting(() => service.Kafka.SendTombstoneAsync("t", default).AsTask()).Should().ThrowAsync<ArgumentException>();
        await FluentActions.Awaiting(() => service.Kafka.SendManyAsync<string>("t", null!)).Should().ThrowAsync<ArgumentNullException>();
    }
}
