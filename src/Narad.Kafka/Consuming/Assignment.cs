using System.Diagnostics.CodeAnalysis;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Failures;
using Narad.Kafka.KeyOrder;

namespace Narad.Kafka.Consuming;

/// <summary>
/// The partitions that the group's client has now, what they hold in memory, and which of them are paused.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only, but for <see cref="BufferedMessages"/> and <see cref="BufferedBytes"/>. The client remembers a pause beyond the
/// assignment, and refuses one inside a rebalance callback: so all pauses are set anew in the first turn after each change.
/// </remarks>
/// <param name="flow">Says which partition has enough.</param>
/// <param name="logger">Of the poll loop.</param>
/// <param name="refused">Told what the client refused; it is tried again in the next turn.</param>
internal sealed class Assignment(FlowControl flow, ILogger logger, Action<Error> refused)
{
    private readonly Dictionary<TopicPartition, AssignedPartition> _partitions = [];
    private AssignedPartition? _latest;     // where the latest message went
    private bool _pausesUnknown;            // assignments or shares changed, or a pause failed: all are set anew in the next turn
    private AssignedPartition? _atCapacity;   // the latest message filled it, or the group: nothing more is polled before it has room or is paused
    private bool _groupFull;                // all partitions are paused, since nothing more fits

    /// <summary>The group's client; another one after a fatal error.</summary>
    public IConsumer<byte[]?, byte[]?> Client { get; set; } = null!;

    /// <summary>Whether the client is inside a rebalance callback: pauses wait until it returned.</summary>
    public bool IsRebalancing { get; set; }

    /// <summary>Whether nothing is to be read any more, since the service stops.</summary>
    public bool IsStopping { get; set; }

    /// <summary>Whether partitions came, went, stopped or continued since it was last shown.</summary>
    public bool Changed { get; set; }

    /// <summary>Whether the latest message filled its partition, or the group: nothing more may be polled before <see cref="AwaitsRoom"/> said so.</summary>
    public bool IsAtCapacity => _atCapacity is not null;

    public IReadOnlyCollection<AssignedPartition> Partitions => _partitions.Values;

    /// <summary>Messages in memory: waiting, running, waiting for a retry. Any thread.</summary>
    public long BufferedMessages => flow.BufferedMessages;

    /// <summary>Their bytes. Any thread.</summary>
    public long BufferedBytes => flow.BufferedBytes;

    public bool TryFind(TopicPartition partition, [NotNullWhen(true)] out AssignedPartition? found)
    {
        found = _latest;
        if (found is null || !found.Partition.Equals(partition))
        {
            if (!_partitions.TryGetValue(partition, out found))
            {
                return false;
            }

            _latest = found;
        }

        return true;
    }

    public bool IsCurrent(AssignedPartition partition) => TryFind(partition.Partition, out var current) && ReferenceEquals(current, partition);

    /// <summary>A partition begins an epoch.</summary>
    public AssignedPartition Add(TopicPartition partition, Subscription subscription)
    {
        var settings = subscription.Settings;
        var isFailureTopic = subscription.IsFailureTopic(partition.Topic);

        // Transactions commit in order, and nothing is committed for broadcasts. A retry partition whose keys are kept in order is read whole, since its
        // records say which of them are finished.
        var takesAhead = !isFailureTopic && settings is { ExactlyOnce: null, IsBroadcast: false } and not { KeepsKeyOrder: true, Retries: not null };
        var added = new AssignedPartition(partition, subscription)
        {
            IsFailureTopic = isFailureTopic,
            TakesAhead = takesAhead,
            RecordsAhead = takesAhead && !settings.KeepsKeyOrder,
        };
        subscription.KeyQueues.Add(added);
        subscription.KeyQueues.SetPausedByName(added, subscription.PausedByName.Includes(added.Id));
        if (subscription.Settings is { KeepsKeyOrder: true, Retries: not null })
        {
            added.BlockedKeys = new BlockedKeys(Guid.NewGuid().ToString("N"));
        }
        else if (subscription.Settings.KeepsKeyOrder)
        {
            subscription.KeyQueues.SetLacksRetryPartition(added, true);   // until its retry partition is ours and read
        }

        _partitions[partition] = added;
        _latest = null;
        _pausesUnknown = true;
        Changed = true;
        return added;
    }

    public void Remove(AssignedPartition partition)
    {
        partition.Subscription.KeyQueues.Drop(partition);
        if (partition.Subscription.Settings.Retries is not null)
        {
            partition.BlockedKeys?.Close();
        }

        flow.Forget(partition);
        _partitions.Remove(partition.Partition);
        _latest = null;
        _pausesUnknown = true;   // the others' shares grew
        Changed = true;
    }

    /// <summary>
    /// A partition begins another epoch while it stays ours: what waits is dropped, what runs changes nothing any more, and its key queues wait for it.
    /// </summary>
    public AssignedPartition Renew(AssignedPartition partition)
    {
        Remove(partition);
        var renewed = Add(partition.Partition, partition.Subscription);
        if (partition is { BlockedKeys: { } blockedKeys, Subscription.Settings.Retries: not null })
        {
            renewed.BlockedKeys!.Seal.Inherit(blockedKeys.Seal);
            (renewed.AwaitsSeal, renewed.IsUnchecked) = (partition.AwaitsSeal, partition.AwaitsSeal);
        }

        renewed.IsRenewed = true;
        renewed.TopicId = partition.TopicId;
        renewed.Subscription.KeyQueues.LinkPredecessor(renewed, partition);
        return renewed;
    }

    /// <summary>A message is in memory from now on.</summary>
    public void Buffer(Delivery delivery)
    {
        flow.Add(delivery.Partition, delivery.Bytes);
        if (flow.IsFull(delivery.Partition, _partitions.Count))
        {
            _atCapacity = delivery.Partition;
        }
    }

    /// <summary>
    /// Whether polling is to be put off for a millisecond: the partition of the latest message is full, and about to have room. Where that takes
    /// longer it is paused.
    /// </summary>
    public bool AwaitsRoom()
    {
        if (_atCapacity is not { } partition)
        {
            return false;
        }

        if (IsCurrent(partition) && !flow.HasRoom(partition, _partitions.Count))
        {
            if (flow.MayWait(partition))
            {
                return true;
            }

            if (flow.IsGroupFull)
            {
                // All of them, or each of the others would bring one message more.
                _groupFull = true;
                SetPauses();
            }
            else
            {
                SetPause(partition);
            }
        }

        _atCapacity = null;
        return false;
    }

    /// <summary>A message of a current partition is finished.</summary>
    public void Finish(Delivery delivery)
    {
        var partition = delivery.Partition;
        flow.Remove(partition, delivery.Bytes);
        partition.FinishedSinceTick++;
        RecordFinished(delivery);
        if (ReferenceEquals(delivery.Forwarding, Forwarding.Republish))
        {
            partition.Delayed.OnRepublished();
        }

        if (partition.Paused is true && flow.MayResume(partition, _partitions.Count))
        {
            SetPause(partition);
        }
    }

    /// <summary>A message leaves memory unfinished: it waits in its retry topic again.</summary>
    public void PutBack(Delivery delivery)
    {
        flow.Remove(delivery.Partition, delivery.Bytes);
        if (delivery.Partition.Paused is true && flow.MayResume(delivery.Partition, _partitions.Count))
        {
            SetPause(delivery.Partition);
        }
    }

    /// <summary>A message is finished that never was in memory.</summary>
    public void Finish(AssignedPartition partition, long sequence)
    {
        RecordFinished(partition, sequence);
        if (partition.Paused is true && flow.MayResume(partition, _partitions.Count))
        {
            SetPause(partition);
        }
    }

    // What is known of its key changes with what is known of its offset: on the poll thread, so that no later message of the key is finished before it.
    private void RecordFinished(Delivery delivery)
    {
        var partition = delivery.Partition;
        RecordFinished(partition, delivery.Sequence);
        if (delivery.Key is not { } key || partition.BlockedKeys is not { } blockedKeys)
        {
            return;
        }

        if (partition.Subscription.Settings.Retries is null)
        {
            blockedKeys.OnSourceFinished(key, delivery.Offset);
        }
        else
        {
            blockedKeys.OnRecordReturned(delivery.Offset);
        }
    }

    private static void RecordFinished(AssignedPartition partition, long sequence)
    {
        partition.Tracker.Finish(sequence);
        if (partition.Subscription.Settings.Retries is not null && partition.BlockedKeys is { } blockedKeys)
        {
            blockedKeys.AllFinishedBelow(partition.Tracker.LowestUnfinished ?? partition.Tracker.Next ?? 0);
        }
    }

    /// <summary>Call when a message stays unfinished without being in memory: its partition may be at capacity now.</summary>
    public void CheckCapacity(AssignedPartition partition)
    {
        if (flow.IsFull(partition, _partitions.Count))
        {
            _atCapacity = partition;
        }
    }

    /// <summary>Whether another message that arrived before fits into memory.</summary>
    public bool HasRoomFor(AssignedPartition partition) => flow.HasRoomFor(partition, _partitions.Count);

    /// <summary>How many unfinished messages of a partition are to make room, where it is at its limit of them; 0 where it is not.</summary>
    public int SurplusOf(AssignedPartition partition) => flow.SurplusOf(partition);

    /// <summary>The client forgot whether the partition is paused.</summary>
    public void ForgetPause(AssignedPartition partition)
    {
        partition.Paused = null;
        _pausesUnknown = true;
    }

    /// <summary>Pauses or resumes what is due: once a turn.</summary>
    public void UpdatePauses()
    {
        if (_groupFull && flow.MayGroupResume)
        {
            _groupFull = false;
            _pausesUnknown = true;
        }

        if (_pausesUnknown)
        {
            SetPauses();
        }
    }

    /// <summary>Pauses or resumes a partition, whichever is due.</summary>
    public void SetPause(AssignedPartition partition)
    {
        if (!IsCurrent(partition))
        {
            return;
        }

        if (IsRebalancing)
        {
            _pausesUnknown = true;
            return;
        }

        var pause = IsStopping
            || partition.IsFailureTopic
            || partition.Unreadable is not null
            || partition.IsUnchecked
            || partition.IsPausedByName
            || partition.LacksRetryPartition
            || partition.HasTooManyBlocked
            || partition.Subscription.KeyQueues.StateOf(partition) is not PartitionState.Active
            || (partition.Paused is true ? !flow.MayResume(partition, _partitions.Count) : flow.IsFull(partition, _partitions.Count));
        if (partition.Paused == pause)
        {
            return;
        }

        try
        {
            if (pause)
            {
                Client.Pause([partition.Partition]);
            }
            else
            {
                Client.Resume([partition.Partition]);
                if (partition.Paused is true)
                {
                    Wake(partition);
                }
            }

            partition.Paused = pause;
        }
        catch (KafkaException error)
        {
            // One that stayed paused would never be read again.
            ForgetPause(partition);
            refused(error.Error);
        }
    }

    // A fetcher whose partitions were all paused sleeps for up to a second, and resuming one does not wake it; seeking to where it stands does.
    private void Wake(AssignedPartition partition)
    {
        if (partition.Position is not { } position)
        {
            return;
        }

        try
        {
            Client.SeekTo(position);
        }
        catch (KafkaException error) when (!error.Error.IsFatal)
        {
            // It is resumed all the same, and wakes by itself.
            ConsumingLog.NotWoken(logger, partition.Id, error.Error.Reason);
        }
    }

    private void SetPauses()
    {
        _pausesUnknown = false;
        foreach (var partition in _partitions.Values)
        {
            SetPause(partition);
        }
    }
}
