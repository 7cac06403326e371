using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>What arrives is what was sent, and errors are the client's, whichever way messages are taken from the client.</summary>
public abstract class MessageSourceContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    // Younger than retention.
    private static readonly DateTime Time = DateTime.UtcNow;

    private static readonly Message<byte[]?, byte[]?>[] Messages =
    [
        Message(key: "kéy", value: "välue"),
        Message(key: null, value: "no key"),
        Message(key: "", value: "an empty key"),
        Message(key: "empty", value: ""),
        Message(key: "tombstone", value: null),
        Message(key: "binary", value: "\0\u0001\0"),
        Message(key: "headers", value: "v", ("a", "1"), ("a", "2"), ("größe", "3"), ("empty", ""), ("null", null)),
        Message(key: "long", value: new string('x', 100_000), ("h", new string('y', 5_000))),
    ];

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_message_arrives_as_it_was_sent(bool native)
    {
        var topics = new[] { await broker.CreateTopicAsync(2), await broker.CreateTopicAsync(2) };
        var partitions = topics.SelectMany(topic => new[] { new TopicPartition(topic, 0), new TopicPartition(topic, 1) }).ToList();
        using (var producer = new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig { BootstrapServers = broker.Brokers }).SetLogHandler((_, _) => { })
            .Build())
        {
            foreach (var partition in partitions)
            {
                await Task.WhenAll(Messages.Select(message => producer.ProduceAsync(partition, message)).ToList());
            }
        }

        using var client = NewClient();
        client.Assign(partitions.Select(partition => new TopicPartitionOffset(partition, 0)));
        var source = Open(client, native);
        var received = Take(source, partitions.Count * Messages.Length);
        source.TryTake(TimeSpan.FromMilliseconds(1), out _).Should().BeFalse();
        foreach (var partition in partitions)
        {
            var mine = received.Where(message => message.Partition.Equals(partition)).ToList();
            mine.Select(message => message.Offset).Should().BeInAscendingOrder();
            mine.Should().HaveSameCount(Messages);
            foreach (var (message, sent) in mine.Zip(Messages))
            {
                message.Key.Should().Equal(sent.Key);
                message.Value.Should().Equal(sent.Value);
                message.Timestamp.Should().Be(sent.Timestamp.UnixTimestampMs);
                (message.Headers ?? []).Select(header => (header.Name, Hex(header.Value))).Should()
                    .Equal((sent.Headers ?? []).Select(header => (header.Key, Hex(header.GetValueBytes()))));
            }
        }
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_offset_that_is_not_there_is_reported_with_its_partition(bool native)
    {
        var topic = await broker.CreateTopicAsync(2);
        await broker.SendAsync(topic, 1, 3);
        using var client = NewClient();
        client.Assign(new TopicPartitionOffset(topic, 1, 100));
        var source = Open(client, native);
        var error = FluentActions.Invoking(() => Take(source, 1)).Should().Throw<ConsumeException>().Which;
        error.Error.Code.Should().Be(ErrorCode.Local_AutoOffsetReset);
        error.Error.IsFatal.Should().BeFalse();
        error.Error.Reason.Should().NotBeNullOrEmpty();
        error.ConsumerRecord.TopicPartitionOffset.Should().Be(new TopicPartitionOffset(topic, 1, 100));

        client.Assign(new TopicPartitionOffset(topic, 1, 1));
        Take(source, 2).Select(message => message.Offset).Should().Equal(1, 2);
    }

    private static List<ReceivedMessage> Take(IMessageSource source, int count)
    {
        var received = new List<ReceivedMessage>();
        for (var deadline = DateTime.UtcNow.AddSeconds(30); received.Count < count && DateTime.UtcNow < deadline;)
        {
            if (source.TryTake(TimeSpan.FromMilliseconds(100), out var message))
            {
                received.Add(message);
            }
        }

        return received;
    }

    private static IMessageSource Open(IConsumer<byte[]?, byte[]?> client, bool native) =>
        native ? NativeMessages.TryOpen(client) ?? throw new InvalidOperationException("The handle of this Confluent.Kafka is not where it was.")
            : new ClientMessages(client);

    private IConsumer<byte[]?, byte[]?> NewClient() => new ConsumerBuilder<byte[]?, byte[]?>(new ConsumerConfig
    {
        BootstrapServers = broker.Brokers,
        GroupId = broker.NewGroup(),
        EnableAutoCommit = false,
        AutoOffsetReset = AutoOffsetReset.Error,
    }).SetKeyDeserializer(Deserializers.ByteArray!).SetValueDeserializer(Deserializers.ByteArray!).SetErrorHandler((_, _) => { }).SetLogHandler((_, _) => { })
        .Build();

    private static Message<byte[]?, byte[]?> Message(string? key, string? value, params (string Name, string? Value)[] headers)
    {
        var message = new Message<byte[]?, byte[]?> { Key = Bytes(key), Value = Bytes(value), Timestamp = new Timestamp(Time, TimestampType.CreateTime) };
        if (headers.Length > 0)
        {
            message.Headers = [];
            foreach (var header in headers)
            {
                message.Headers.Add(header.Name, Bytes(header.Value));
            }
        }

        return message;
    }

    private static byte[]? Bytes(string? text) => text is null ? null : Encoding.UTF8.GetBytes(text);

    private static string Hex(byte[]? bytes) => bytes is null ? "null" : Convert.ToHexString(bytes);
}

public sealed class MessageSourcesOnEmbedded(EmbeddedTestBroker broker) : MessageSourceContract<EmbeddedTestBroker>(broker);

public sealed class MessageSourcesOnKafka(KafkaTestBroker broker) : MessageSourceContract<KafkaTestBroker>(broker);
