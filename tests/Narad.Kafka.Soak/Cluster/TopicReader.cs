using System.Diagnostics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Soak.Verification;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Cluster;

/// <summary>The truth of what topics hold: a bare client that is in no group and reads every partition from its first message to its end.</summary>
internal static class TopicReader
{
    public static Task<List<LogRecord>> ReadAsync(KafkaCluster cluster, IReadOnlyList<string> topics, int incarnation = 1) =>
        Task.Run(() => Read(cluster, topics, result => PlaceOf(result, $"#{incarnation}")));

    /// <summary>The same with keys, values and what retry records and dead letters say of their origin.</summary>
    /// <param name="cluster">Where.</param>
    /// <param name="topics">Which.</param>
    /// <param name="isolation">Whether what a transaction wrote is read before, or without, its commit.</param>
    public static async Task<IReadOnlyList<ForwardedRecord>> ReadForwardedAsync(
        KafkaCluster cluster, IReadOnlyList<string> topics, IsolationLevel isolation = IsolationLevel.ReadCommitted) =>
        [.. (await Task.Run(() => Read(cluster, topics, ForwardedRecordOf, isolation))).OfType<ForwardedRecord>()];

    /// <summary>Where each partition that holds anything ends, by its name.</summary>
    public static Task<Dictionary<string, long>> EndsAsync(KafkaCluster cluster, IReadOnlyList<string> topics) => Task.Run(() =>
    {
        using var consumer = NewConsumer(cluster, IsolationLevel.ReadUncommitted);
        return Ends(cluster, consumer, topics).ToDictionary(end => NameOf(end.Key), end => end.Value, StringComparer.Ordinal);
    });

    private static IConsumer<byte[]?, byte[]?> NewConsumer(KafkaCluster cluster, IsolationLevel isolation) =>
        new ConsumerBuilder<byte[]?, byte[]?>(new ConsumerConfig
    {
        BootstrapServers = cluster.Brokers,
        GroupId = "independent-reader",   // the client wants one; nothing is joined or committed
        EnableAutoCommit = false,
        AutoOffsetReset = AutoOffsetReset.Error,
        IsolationLevel = isolation,
        EnablePartitionEof = true,
    }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();

    private static string NameOf(TopicPartition partition) => $"{partition.Topic}[{partition.Partition.Value}]";

    // Latin-1 spoils no byte: what is no text is read as well.
    private static LogRecord PlaceOf(ConsumeResult<byte[]?, byte[]?> result, string incarnation)
    {
        var (key, sequence) = Numbered.Parse(Encoding.Latin1.GetString(result.Message.Value!));
        return new LogRecord(NameOf(result.TopicPartition) + incarnation, result.Offset.Value, key, sequence);
    }

    // Null: a record that says something of a key and is nobody's message.
    private static ForwardedRecord? ForwardedRecordOf(ConsumeResult<byte[]?, byte[]?> result)
    {
        if (result.Message.Value is null)
        {
            return null;
        }

        string? Text(string name) => result.Message.Headers.TryGetLastBytes(name, out var bytes) ? Encoding.UTF8.GetString(bytes) : null;
        var origin = Text("narad-topic") is { } topic ? $"{topic}[{Text("narad-partition")}]@{Text("narad-offset")}" : null;
        return new ForwardedRecord(
            PlaceOf(result, ""),
            result.Message.Key,
            result.Message.Value,
            result.Message.Timestamp.UnixTimestampMs,
            origin,
            int.Parse(Text("retry") ?? "0", CultureInfo.InvariantCulture),
            long.Parse(Text("narad-due") ?? "0", CultureInfo.InvariantCulture),
            Text("narad-writer") is { } writer ? $"{writer}, committed {Text("narad-committed") ?? "unknown"}" : null);
    }

    private static Dictionary<TopicPartition, long> Ends(KafkaCluster cluster, IConsumer<byte[]?, byte[]?> consumer, IReadOnlyList<string> topics)
    {
        var ends = new Dictionary<TopicPartition, long>();
        foreach (var topic in topics)
        {
            foreach (var partition in cluster.Admin.GetMetadata(topic, TimeSpan.FromSeconds(20)).Topics.Single().Partitions)
            {
                var id = new TopicPartition(topic, partition.PartitionId);
                var marks = MarksOf(consumer, id);
                if (marks.High > marks.Low)
                {
                    ends[id] = marks.High;
                }
            }
        }

        return ends;
    }

    // The broker that the client asks may have lost the lead a moment ago.
    private static WatermarkOffsets MarksOf(IConsumer<byte[]?, byte[]?> consumer, TopicPartition partition)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return consumer.QueryWatermarkOffsets(partition, TimeSpan.FromSeconds(20));
            }
            catch (KafkaException refused) when (refused.Error.Code is ErrorCode.NotLeaderForPartition or ErrorCode.LeaderNotAvailable
                && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30))
            {
                Thread.Sleep(200);
            }
        }
    }

    // The end that counts is that of everything written: a transaction that nobody ends holds back a reader of committed messages, and that is reported.
    private static List<T> Read<T>(KafkaCluster cluster, IReadOnlyList<string> topics, Func<ConsumeResult<byte[]?, byte[]?>, T> take,
        IsolationLevel isolation = IsolationLevel.ReadCommitted)
    {
        using var ending = NewConsumer(cluster, IsolationLevel.ReadUncommitted);
        var ends = Ends(cluster, ending, topics);
        using var consumer = NewConsumer(cluster, isolation);
        consumer.Assign(ends.Keys.Select(id => new TopicPartitionOffset(id, Offset.Beginning)));
        var records = new List<T>();
        var last = DateTime.UtcNow;
        while (ends.Count > 0)
        {
            if (consumer.Consume(TimeSpan.FromSeconds(1)) is not { } result)
            {
                if (DateTime.UtcNow - last > TimeSpan.FromSeconds(100))
                {
                    throw new TimeoutException($"The independent reader got nothing for 100 s; {string.Join(", ", ends.Keys)} not read to the end.");
                }

                continue;
            }

            last = DateTime.UtcNow;
            if (!result.IsPartitionEOF)
            {
                records.Add(take(result));
            }

            // The end itself may be a transaction's mark, which is no message.
            if (ends.TryGetValue(result.TopicPartition, out var end) && result.Offset.Value + (result.IsPartitionEOF ? 0 : 1) >= end)
            {
                ends.Remove(result.TopicPartition);
            }
        }

        return records;
    }
}
