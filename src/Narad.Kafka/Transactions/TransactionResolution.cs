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
internal sealed class TransactionResolution(Func<AssignedPartition, bool> isCurrent, Func<TimeSpan, long> after, Action<TransactionPart,
    KafkaSendException> suspected)
{
    /// <summary>
    /// The first messages of each partition, all of which succeeded, and the offset behind them. Null where that is not what succeeded: then nothing can
    /// be committed, since something would count whose offset does not. Also where a partition is not ours any more, or not under that assignment:
    /// the broker would not notice.
    /// </summary>
    public List<TransactionOffer>? Offer(GroupTransaction transaction)
    {
        var offers = new List<TransactionOffer>();
        if (!transaction.Outstanding.Keys.All(isCurrent))
        {
            return null;
        }

        for (var i = 0; i < transaction.Parts.Count;)
        {
            var partition = transaction.Parts[i].Partition;
            var (count, ended, offset) = (0, false, Offset.Unset.Value);
            for (; i < transaction.Parts.Count && ReferenceEquals(transaction.Parts[i].Partition, partition); i++)
            {
                var part = transaction.Parts[i];
                if (part is { IsBack: true, State: PartState.Succeeded, Refused: null })
                {
                    if (ended)
                    {
                        return null;
                    }

                    count++;
                    offset = partition.Tracker.Tracks(part.Delivery.Sequence) ? part.Offset + 1 : offset;
                }
                else if (part.State is PartState.Waiting)
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
    public void GiveBack(GroupTransaction transaction)
    {
        foreach (var part in transaction.Parts)
        {
            if (!isCurrent(part.Partition))
            {
                continue;
            }

            part.Partition.Backlog.Taken = 0;
            if (part.IsBack)
            {
                Reconsider(part);
            }
            else
            {
                part.Partition.Backlog.Away++;
            }
        }
    }

    /// <summary>A message whose transaction did not count: what it is to be next.</summary>
    public void Reconsider(TransactionPart part)
    {
        var delivery = part.Delivery;
        var standing = delivery.Standing!;
        standing.Part = null;
        if (part.State is PartState.Failed)
        {
            standing.IsAlone = true;
            standing.NotBefore = after(part.Verdict.Delay);
            switch (part.Verdict.Action)
            {
                case FailureAction.DeadLetter:
                    delivery.Forwarding ??= new Forwarding(part.Error);
                    break;
                case FailureAction.Skip or FailureAction.Stop:
                    standing.Decided = part.Verdict.Action;
                    standing.DecidedFor = part.Error;
                    break;
            }

            return;
        }

        if (part is { State: PartState.Suspect or PartState.Succeeded, Refused: { Retriable: false } refused })
        {
            standing.IsAlone = true;
            suspected(part, refused);
        }

        // What ended with the transaction of others was no attempt.
        if (part.State is not PartState.Waiting && delivery.Forwarding is null && delivery.Attempts > 0)
        {
            delivery.Attempts--;
        }
    }
}
