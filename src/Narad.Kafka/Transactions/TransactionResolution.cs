using Confluent.Kafka;
using Narad.Kafka.Consuming;
using Narad.Kafka.Failures;

namespace Narad.Kafka.Transactions;

/// <summary>
/// What follows from how the messages of a transaction ended: which offsets it may commit, and, where it does not count, what each message is to be next.
/// Single-threaded: poll thread only.
/// </summary>
/// <param name="isCurrent">Whether an assignment is ours now.</param>
/// <param name="after">The timestamp of the clock after a delay.</param>
/// <param name="suspected">Told whose output was refused among others.</param>
internal sealed class TransactionResolution(Func<AssignedPartition, bool> isCurrent, Func<TimeSpan, long> after, Action<TransactionEntry,
    KafkaSendException> suspected)
{
    /// <summary>
    /// The first messages of each partition, all of which succeeded, and the offset behind them. Null where that is not what succeeded: then nothing can
    /// be committed, since something would count whose offset does not. Also where a partition is not ours any more, or not under that assignment:
    /// the broker would not notice.
    /// </summary>
    public List<TransactionOffer>? OffsetsToCommit(GroupTransaction transaction)
    {
        var offers = new List<TransactionOffer>();
        if (!transaction.Outstanding.Keys.All(isCurrent))
        {
            return null;
        }

        for (var i = 0; i < transaction.Entries.Count;)
        {
            var partition = transaction.Entries[i].Partition;
            var (count, ended, offset) = (0, false, Offset.Unset.Value);
            for (; i < transaction.Entries.Count && ReferenceEquals(transaction.Entries[i].Partition, partition); i++)
            {
                var entry = transaction.Entries[i];
                if (entry is { IsBack: true, State: TransactionEntryState.Succeeded, Refused: null })
                {
                    if (ended)
                    {
                        return null;
                    }

                    count++;
                    offset = partition.Tracker.Tracks(entry.Delivery.Sequence) ? entry.Offset + 1 : offset;
                }
                else if (entry.State is TransactionEntryState.Waiting)
                {
                    ended = true;
                }
                else
                {
                    return null;
                }
            }

            if (count > 0)
            {
                offers.Add(new TransactionOffer(partition, offset, count));
            }
        }

        return offers;
    }

    /// <summary>Everything of it that is still ours is the first of its partition again; what did not come back yet is waited for.</summary>
    public void ReturnToBacklog(GroupTransaction transaction)
    {
        foreach (var entry in transaction.Entries)
        {
            if (!isCurrent(entry.Partition))
            {
                continue;
            }

            entry.Partition.Backlog.Taken = 0;
            if (entry.IsBack)
            {
                PlanNext(entry);
            }
            else
            {
                entry.Partition.Backlog.InKeyQueues++;
            }
        }
    }

    /// <summary>A message whose transaction did not count: what it is to be next.</summary>
    public void PlanNext(TransactionEntry entry)
    {
        var delivery = entry.Delivery;
        var state = delivery.TransactionState!;
        state.Entry = null;
        if (entry.State is TransactionEntryState.Failed)
        {
            state.NeedsOwnTransaction = true;
            state.NotBefore = after(entry.Decision.Delay);
            switch (entry.Decision.Action)
            {
                case FailureAction.DeadLetter:
                    delivery.Forwarding ??= new Forwarding(entry.Error);
                    break;
                case FailureAction.Skip or FailureAction.Stop:
                    state.Decided = entry.Decision.Action;
                    state.DecidedFor = entry.Error;
                    break;
            }

            return;
        }

        if (entry is { State: TransactionEntryState.Suspect or TransactionEntryState.Succeeded, Refused: { Retriable: false } refused })
        {
            state.NeedsOwnTransaction = true;
            suspected(entry, refused);
        }

        // What ended with the transaction of others was no attempt.
        if (entry.State is not TransactionEntryState.Waiting && delivery.Forwarding is null && delivery.Attempts > 0)
        {
            delivery.Attempts--;
        }
    }
}
