using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>A handler may write to the array that it was given: the message itself does not change.</summary>
public sealed class HandlersMemoryTests
{
    [Fact]
    [Trait("Promise", "S23")]
    public async Task A_handler_that_writes_to_its_array_and_fails_leaves_the_dead_letter_as_the_message_came()
    {
        await using var service = await EmbeddedService.StartAsync();
        var seen = new List<string>();
        await service.Kafka.SubscribeAsync<byte[]>(
            "t",
            (message, context, _) =>
            {
                seen.Add(Encoding.UTF8.GetString(message));
                message.AsSpan().Clear();
                context.Key.ToBytes().AsSpan().Clear();
                throw new InvalidOperationException("after decrypting in place");
            },
            configure: options => { options.Retry.InMemory.MaxAttempts = 1; options.DeadLetter.Enabled = true; });

        await service.SendAsync("t", "as it came"u8.ToArray(), "key", partition: 0);
        await Waiting.Until(() => service.Committed("t") == 1, "the message is a dead letter");

        seen.Should().Equal("as it came", "as it came");
        using var consumer = new ConsumerBuilder<string, string>(new ConsumerConfig { BootstrapServers = service.Broker.BootstrapServers, GroupId = "reader" })
            .Build();
        consumer.Assign(new Confluent.Kafka.TopicPartitionOffset("t-dlt", 0, Offset.Beginning));
        var copy = consumer.Consume(Waiting.Deadline);
        copy.Message.Value.Should().Be("as it came");
        copy.Message.Key.Should().Be("key");
    }
}
