using Confluent.Kafka;
using Narad.Kafka.Soak.Books;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Cluster;

/// <summary>The truth of what topics hold: a bare client that is in no group and reads every partition from its first message to its end.</summary>
internal static class TopicReader
{
    public static Task<List<LogRecord>> ReadAsync(KafkaCluster cluster, IReadOnlyList<string> topics, int incarnation = 1) => Task.Run(() => Read(cluster, topics, incarnation));

    private static List<LogRecord> Read(KafkaCluster cluster, IReadOnlyList<string> topics, int incarnation)
    {
        using var consumer = new ConsumerBuilder<byte[]?, string>(new ConsumerConfig
        {
            BootstrapServers = cluster.Brokers,
            GroupId = "independent-reader",   // the client wants one; nothing is joined or committed
            EnableAutoCommit = false,
            AutoOffsetReset = AutoOffsetReset.Error,
        }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();

        var ends = new Dictionary<TopicPartition, long>();
        var names = new Dictionary<TopicPartition, string>();
        foreach (var topic in topics)
        {
            foreach (var partition in cluster.Admin.GetMetadata(topic, TimeSpan.FromSeconds(20)).Topics.Single().Partitions)
            {
                var id = new TopicPartition(topic, partition.PartitionId);
                var marks = consumer.QueryWatermarkOffsets(id, TimeSpan.FromSeconds(20));
                names[id] = $"{topic}[{partition.PartitionId}]#{incarnation}";
                if (marks.High > marks.Low)
                {
                    ends[id] = marks.High;
                }
            }
        }

        consumer.Assign(ends.Keys.Select(id => new TopicPartitionOffset(id, Offset.Beginning)));
        var records = new List<LogRecord>();
        var last = DateTime.UtcNow;
        while (ends.Count > 0)
        {
            if (consumer.Consume(TimeSpan.FromSeconds(1)) is not { } result)
            {
                if (DateTime.UtcNow - last > TimeSpan.FromSeconds(60))
                {
                    throw new TimeoutException($"The independent reader got nothing for a minute; {string.Join(", ", ends.Keys)} not read to the end.");
                }

                continue;
            }

            last = DateTime.UtcNow;
            var (key, sequence) = Numbered.Parse(result.Message.Value);
            records.Add(new LogRecord(names[result.TopicPartition], result.Offset.Value, key, sequence));
            if (ends.TryGetValue(result.TopicPartition, out var end) && result.Offset.Value + 1 >= end)
            {
                ends.Remove(result.TopicPartition);
            }
        }

        return records;
    }
}
