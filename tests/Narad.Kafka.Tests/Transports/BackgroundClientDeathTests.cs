using System.Reflection;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Producing;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Transports;

/// <summary>Background clients that are disposed while they are in use, as a client that dies disposes itself, are replaced.</summary>
public sealed class BackgroundClientDeathTests : IAsyncDisposable
{
    private static readonly KafkaOptions Options = new() { Mode = KafkaMode.Embedded };

    private readonly KafkaDiagnostics _diagnostics = new();
    private readonly EmbeddedTransport _transport;

    public BackgroundClientDeathTests() => _transport = new EmbeddedTransport(Options, _diagnostics);

    public ValueTask DisposeAsync() => _transport.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_retry_reader_reads_on_with_another_client(bool whileReading)
    {
        await SendAsync("t-retry", 6);
        var refused = new List<ErrorCode>();
        var reader = new RetryReader(
            _transport,
            "g",
            new ClientLog(NullLogger.Instance, SecretHiding.Of(new ConsumerConfig()), TimeProvider.System),
            TimeProvider.System,
            error => refused.Add(error.Code));
        var partition = new AssignedPartition(new Confluent.Kafka.TopicPartition("t-retry", 0), null!);
        var read = new List<long>();
        reader.Want(partition, [Retry(0), Retry(1), Retry(2)], republish: false);
        await Waiting.Until(() => Read(most: whileReading ? 1 : 100) >= (whileReading ? 1 : 3), "messages are read");
        Kill(reader, "_client");
        reader.Want(partition, [Retry(4), Retry(5)], republish: false);
        await Waiting.Until(() => Read(most: 100) == 5, "the rest is read");

        read.Should().Equal(0, 1, 2, 4, 5);
        refused.Should().Contain(ErrorCode.Local_Destroy);
        reader.Close();

        int Read(int most)
        {
            reader.Turn(most, static _ => true, static _ => true, Deliver, static (_, _, _) => { });
            return read.Count;
        }

        void Deliver(AssignedPartition assigned, in ReceivedMessage message, in DelayedRetry retry, bool republish) => read.Add(message.Offset);

        static DelayedRetry Retry(long offset) => new(offset, Sequence: offset, Due: 0, RepublishAt: 0);
    }

    private static void Kill(object owner, string field)
        => ((IDisposable)owner.GetType().GetField(field, BindingFlags.NonPublic | BindingFlags.Instance)!.GetValue(owner)!).Dispose();

    private async Task SendAsync(string topic, int messages)
    {
        await using var producer = new MessageProducer(_transport, Options, _diagnostics);
        await producer.ConnectAsync(default);
        for (var i = 0; i < messages; i++)
        {
            await producer.SendAsync(topic, $"{i}", "k", new SendOptions { Partition = 0 }, default);
        }
    }
}
