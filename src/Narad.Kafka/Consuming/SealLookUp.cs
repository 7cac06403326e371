using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.KeyOrder;

namespace Narad.Kafka.Consuming;

/// <summary>
/// What the client's group committed in these partitions, with the metadata. Called on another thread than the poll thread; waits for the broker.
/// </summary>
/// <exception cref="KafkaException">No answer came in time, or the broker refuses it.</exception>
internal delegate IReadOnlyDictionary<TopicPartition, CommittedOffset> AskForSeals(
    IConsumer<byte[]?, byte[]?> client, IReadOnlyList<TopicPartition> sources);

/// <summary>
/// Looks up which seal the group committed in the source partition of each assigned retry partition. No record of a retry partition is read before that is
/// known. A look-up that fails is repeated every second, because without the seal the group's own records look like a stranger's.
/// </summary>
/// <remarks>Single-threaded: poll thread only. The broker is asked in the background.</remarks>
internal sealed class SealLookUp(Assignment assignment, string group, AskForSeals ask, TimeProvider time, ILogger logger)
{
    private List<AssignedPartition> _partitions = [];   // that were asked for
    private Task<IReadOnlyDictionary<TopicPartition, CommittedOffset>>? _asked;
    private bool _wanted;
    private bool _said;
    private long _next;

    /// <summary>Completes when the client is not asked anything any more: it must not be disposed before.</summary>
    public Task Asking => _asked ?? Task.CompletedTask;

    /// <summary>A retry partition was assigned.</summary>
    public void Begin(AssignedPartition partition)
    {
        partition.AwaitsSeal = true;
        _wanted = true;
    }

    /// <summary>Takes an answer, and asks for those that have none: once a turn.</summary>
    public void Turn()
    {
        if (_asked is { IsCompleted: true } answer)
        {
            _asked = null;
            Take(answer);
        }

        if (!_wanted || _asked is not null || time.GetTimestamp() < _next)
        {
            return;
        }

        _partitions = [.. assignment.Partitions.Where(static partition => partition.AwaitsSeal)];
        _wanted = _partitions.Count > 0;
        if (_wanted)
        {
            var (client, sources) = (assignment.Client, _partitions.ConvertAll(SourceOf));
            _asked = Task.Run(() => ask(client, sources));
        }
    }

    private static TopicPartition SourceOf(AssignedPartition partition) => new(partition.Subscription.Settings.Retries!.Source, partition.Partition.Partition);

    private void Take(Task<IReadOnlyDictionary<TopicPartition, CommittedOffset>> answer)
    {
        if (!answer.IsCompletedSuccessfully)
        {
            _next = time.GetTimestamp() + time.TimestampFrequency;
            if (!_said)
            {
                _said = true;
                ConsumingLog.SealsUnknown(logger, answer.Exception!.InnerException!, group);
            }

            return;
        }

        _said = false;
        foreach (var partition in _partitions)
        {
            // Of this assignment only: since an older one, another member may have committed another seal.
            if (assignment.IsCurrent(partition) && partition is { AwaitsSeal: true, BlockedKeys: { } blockedKeys })
            {
                Learn(blockedKeys, SourceOf(partition), answer.Result);
                partition.AwaitsSeal = false;
            }
        }
    }

    private void Learn(BlockedKeys blockedKeys, TopicPartition source, IReadOnlyDictionary<TopicPartition, CommittedOffset> committed)
    {
        var isThere = committed.TryGetValue(source, out var found);
        if (!blockedKeys.Seal.Learn(isThere ? found.Offset : null, found.Metadata) && isThere)
        {
            ConsumingLog.OffsetNotOurs(logger, new TopicPartitionId(source.Topic, source.Partition.Value), found.Offset, group);
            if (blockedKeys.IsJoined)
            {
                blockedKeys.OnSourceSeek();   // what was read up to now was believed with the seal of before
            }
        }
    }
}
