using Narad.Kafka.Consuming;

namespace Narad.Kafka.Transactions;

/// <summary>
/// Which messages make the next transaction: of each partition the first ones, without a gap, since only then its offset says all that counts. A message
/// that failed, or that something hangs on, is in a transaction of its own, after everything before it. Decides nothing else. Single-threaded: poll thread
/// only.
/// </summary>
internal sealed class TransactionPlan
{
    private int _turn;          // which partition is asked first
    private bool _aloneLast;    // so that those that fail do not keep the others from going on

    /// <summary>The first message of a partition that has nothing more to be done about it than to stop there; null where there is none.</summary>
    public static Delivery? StopOf(AssignedPartition partition) =>
        partition.Backlog is { InKeyQueues: 0, Taken: 0, Count: > 0 } backlog && backlog[0] is { TransactionState.Decided: FailureAction.Stop } first
            && IsNext(partition, first) ? first : null;

    /// <summary>The messages of the next transaction, partition by partition in their order; marks them as taken. Empty where none may begin now.</summary>
    public List<Delivery> Take(IReadOnlyList<AssignedPartition> partitions, int most, long now)
    {
        var taken = new List<Delivery>();
        if (partitions.Count == 0)
        {
            return taken;
        }

        _turn = (_turn + 1) % partitions.Count;
        if (!_aloneLast && TakeOne(partitions, now) is { } first)
        {
            _aloneLast = true;
            return [first];
        }

        for (var i = 0; i < partitions.Count && taken.Count < most; i++)
        {
            TakeFrom(partitions[(_turn + i) % partitions.Count], taken, most);
        }

        if (taken.Count > 0)
        {
            _aloneLast = false;
        }
        else if (TakeOne(partitions, now) is { } alone)
        {
            taken.Add(alone);
        }

        return taken;
    }

    private Delivery? TakeOne(IReadOnlyList<AssignedPartition> partitions, long now)
    {
        for (var i = 0; i < partitions.Count; i++)
        {
            var partition = partitions[(_turn + i) % partitions.Count];
            var backlog = partition.Backlog;
            if (MayBegin(partition) && backlog[0] is { TransactionState: { NeedsOwnTransaction: true, Decided: not FailureAction.Stop } state } first
                && state.NotBefore <= now && IsNext(partition, first))
            {
                backlog.Taken = 1;
                return first;
            }
        }

        return null;
    }

    private static void TakeFrom(AssignedPartition partition, List<Delivery> taken, int most)
    {
        if (!MayBegin(partition))
        {
            return;
        }

        var backlog = partition.Backlog;
        var next = 0L;
        while (backlog.Taken < backlog.Count && taken.Count < most)
        {
            var delivery = backlog[backlog.Taken];
            if (delivery.TransactionState is { NeedsOwnTransaction: true })
            {
                return;
            }

            if (partition.Tracker.Tracks(delivery.Sequence))
            {
                // One that was finished without having been held, or is deferred, may be between.
                next = partition.Tracker.NextOpen(next);
                if (next != delivery.Sequence)
                {
                    return;
                }

                next++;
            }

            taken.Add(delivery);
            backlog.Taken++;
        }
    }

    private static bool MayBegin(AssignedPartition partition) =>
        partition is { State: PartitionState.Active, IsPausedByName: false, Backlog: { InKeyQueues: 0, Taken: 0, Count: > 0 } };

    private static bool IsNext(AssignedPartition partition, Delivery delivery) =>
        !partition.Tracker.Tracks(delivery.Sequence) || partition.Tracker.NextOpen(0) == delivery.Sequence;
}
