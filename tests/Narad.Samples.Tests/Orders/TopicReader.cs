using Confluent.Kafka;
using Orders;
using Orders.Events;
using Orders.Storage;

namespace Narad.Samples.Tests.Orders;

/// <summary>What is in the topic of events.</summary>
internal static class TopicReader
{
    /// <summary>All events, in the order of each partition.</summary>
    public static IReadOnlyList<OrderEvent> Read(string brokers, string topic)
    {
        using var reader = new ConsumerBuilder<string?, string>(
            new ConsumerConfig { BootstrapServers = brokers, GroupId = "reads-only", EnableAutoCommit = false, EnablePartitionEof = true })
            .SetLogHandler(static (_, _) => { }).Build();
        reader.Assign(Enumerable.Range(0, Topics.Partitions).Select(partition => new TopicPartitionOffset(topic, partition, Offset.Beginning)));
        var (found, ended) = (new List<OrderEvent>(), 0);
        while (ended < Topics.Partitions)
        {
            var result = reader.Consume(TimeSpan.FromMinutes(1)) ?? throw new TimeoutException($"{topic} could not be read.");
            if (result.IsPartitionEOF)
            {
                ended++;
            }
            else
            {
                found.Add(OrderJson.Read(result.Message.Value));
            }
        }

        return found;
    }
}
