using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Looks, after partitions were lost, whether their logs still reach to where this member had read. An unclean leader election can cut off what lies behind the
/// committed offset, such as retries that wait, without anybody noticing: the next member starts at the committed offset, which is still there. A log that has
/// grown past that position by then is not recognized.
/// </summary>
/// <remarks>Single-threaded: poll thread only. The ends are asked for in the background, until they are known.</remarks>
internal sealed class LostPositions(ConsumerGroup group, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(1);

    private const long Gone = -1;

    private readonly Dictionary<TopicPartition, (long Read, long Committed)> _positions = [];
    private Task<List<(TopicPartition Partition, long? End)>>? _asked;
    private long _next;

    /// <summary>Completes when the client is not asked anything any more: it must not be disposed before.</summary>
    public Task Asking => _asked ?? Task.CompletedTask;

    public void Add(AssignedPartition partition)
    {
        if (!partition.IsFailureTopic && partition.Tracker.Next is { } next)
        {
            _positions[partition.Partition] = (next, partition.Stored ?? 0);
        }
    }

    /// <summary>Once a turn.</summary>
    public void Turn(IConsumer<byte[]?, byte[]?> client)
    {
        if (_asked is { IsCompleted: true } answer)
        {
            _asked = null;
            foreach (var (partition, end) in answer.GetAwaiter().GetResult())
            {
                // Where the committed offset was cut off too, the next member finds that when it starts.
                if (end is { } known && _positions.Remove(partition, out var position) && known < position.Read && known >= position.Committed)
                {
                    group.Metrics.Truncated();
                    ConsumingLog.ReadAndTruncated(logger, new TopicPartitionId(partition.Topic, partition.Partition.Value), known, position.Read, group.Name);
                }
            }
        }

        if (_asked is null && _positions.Count > 0 && time.GetTimestamp() >= _next)
        {
            _next = time.GetTimestamp() + (long)(AskAgain.TotalSeconds * time.TimestampFrequency);
            List<TopicPartition> partitions = [.. _positions.Keys];
            _asked = Task.Run(() => partitions.ConvertAll(partition => (partition, EndOf(client, partition))));
        }
    }

    // On another thread. Null: nobody says at the moment. A topic that was deleted is looked for by others.
    private static long? EndOf(IConsumer<byte[]?, byte[]?> client, TopicPartition partition)
    {
        try
        {
            return client.QueryWatermarkOffsets(partition, AskTimeout).High.Value;
        }
        catch (KafkaException error)
        {
            return error.Error.Code is ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition ? Gone : null;
        }
    }
}
