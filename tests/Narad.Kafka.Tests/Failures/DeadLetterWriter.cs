using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Failures;
using Narad.Kafka.Tests.Consuming;

namespace Narad.Kafka.Tests.Failures;

/// <summary>A source topic with its dead letters, written as the library writes them, one by one in offset order.</summary>
internal sealed class DeadLetterWriter
{
    private readonly TestBroker _broker;
    private readonly int _partitions;

    private DeadLetterWriter(TestBroker broker, string source, int partitions)
    {
        _broker = broker;
        _partitions = partitions;
        Source = source;
    }

    public string Source { get; }

    public string Topic => $"{Source}-dlt";

    public string Retry => $"{Source}-retry";

    public static async Task<DeadLetterWriter> CreateAsync(TestBroker broker, KafkaService kafka, int partitions = 3, bool retry = true)
    {
        var writer = new DeadLetterWriter(broker, await broker.CreateTopicAsync(partitions), partitions);
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec(writer.Topic, partitions)]);
        if (retry)
        {
            await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec(writer.Retry, partitions)]);
        }

        return writer;
    }

    /// <summary>The origin of the nth dead letter.</summary>
    public FailureOrigin Origin(int n, string group = "billing") => new(Source, n % _partitions, 1_000 + n, 1_700_000_000_000 + n, group);

    /// <summary>Dead letters with their number as value, each in the partition that its number names, with a header of the application.</summary>
    public async Task WriteAsync(int count, int from = 0, Func<int, Exception>? error = null, Func<int, string>? group = null)
    {
        var sends = new List<Task>();
        for (var n = from; n < from + count; n++)
        {
            var sent = new MessageHeaders().Add("n", n.ToString(CultureInfo.InvariantCulture)).Add("tenant", n % 2 == 0 ? "even" : "odd");
            var headers = FailureHeaders.For(sent, isRetryRecord: false, Origin(n, group?.Invoke(n) ?? "billing"), retry: null, due: null,
                error?.Invoke(n) ?? new TimeoutException("no answer"));
            sends.Add(WriteAsync(n % _partitions, $"k{n}", $"{n}", headers));
        }

        await Task.WhenAll(sends);
    }

    public Task WriteAsync(int partition, string? key, string? value, MessageHeaders headers, DateTimeOffset? time = null)
    {
        var copied = new Headers();
        foreach (var header in headers)
        {
            copied.Add(header.Name, header.Value);
        }

        return _broker.SendRawAsync(Topic, partition, new Message<byte[]?, byte[]?>
        {
            Key = key is null ? null : Encoding.UTF8.GetBytes(key),
            Value = value is null ? null : Encoding.UTF8.GetBytes(value),
            Headers = copied,
            Timestamp = time is { } at ? new Timestamp(at) : Timestamp.Default,
        });
    }

    /// <summary>The values that a topic holds, in order, as numbers.</summary>
    public List<int> Numbers(string topic, int expected) =>
        [.. _broker.ReadAll(topic, expected).Select(copy => int.Parse(Encoding.UTF8.GetString(copy.Message.Value!), CultureInfo.InvariantCulture)).Order()];
}
