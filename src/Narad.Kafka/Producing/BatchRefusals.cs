using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Producing;

/// <summary>
/// Sends the messages of a refused batch again: the broker refuses the whole batch where one record in it is invalid (<see cref="RecordRefusal"/>), or where
/// the batch is too large although no limit was known. The client is drained first, and everything goes again in its order: after a refusal for size within
/// the limit, after a refused record with each suspect alone, so that only refused records fail. Nothing goes while the client drains: the order is known
/// only when everything has come back.
/// </summary>
/// <remarks>
/// Threading: <see cref="Draining"/> is written under the lock of <see cref="SendQueue"/> and read by reports without it; each method states where it runs.
/// </remarks>
internal sealed class BatchRefusals(SendQueue owner, Lock guard, TopicLimits? limits, TimeProvider time, ILogger logger, CancellationToken stopped)
{
    private static readonly TimeSpan DrainTick = TimeSpan.FromMilliseconds(1);

    private volatile bool _draining;

    public bool Draining => _draining;

    /// <summary>On the client's thread. True: it was refused together with its batch, or taken back to keep the order, and goes again.</summary>
    public bool TrySendAgain(ProducerGeneration generation, PendingSend send, ErrorCode code, PersistenceStatus status)
    {
        if (status != PersistenceStatus.NotPersisted
            || !(code is ErrorCode.MsgSizeTooLarge or ErrorCode.Local_PurgeQueue or ErrorCode.Local_InvalidDifferentRecord || RecordRefusal.MayBlame(code)))
        {
            return false;
        }

        lock (guard)
        {
            if (!owner.IsCurrent(generation) || generation.Fatal is not null)
            {
                return false;
            }

            if (code == ErrorCode.Local_PurgeQueue)
            {
                if (!_draining)
                {
                    return false;
                }
            }
            else if (send.Alone)
            {
                return false;
            }
            else
            {
                Refused(send, code);
                Drain(generation);
            }

            send.Generation = null;
            send.Alone = false;
            owner.WaitAgain(send);
            return true;
        }
    }

    /// <summary>
    /// Something that followed a refused batch was written before the batch could be sent again: nobody can undo it, so it is logged. On the client's thread.
    /// </summary>
    public void WarnIfInverted(PendingSend send, int partition)
    {
        lock (guard)
        {
            if (send.Queue.Waiting.First is not { } first || first.Ticket > send.Ticket)
            {
                return;
            }
        }

        var topic = send.Queue.Topic;
        ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.MayBeInverted(logger, topic, partition), null);
    }

    /// <summary>The client ended; there is nothing to drain. Under the lock.</summary>
    public void Abandon() => _draining = false;

    // Under the lock.
    private void Refused(PendingSend send, ErrorCode code)
    {
        if (code == ErrorCode.MsgSizeTooLarge)
        {
            RefusedForSize(send.Queue);
            return;
        }

        send.MustGoAlone |= RecordRefusal.MayBlame(code);
        if (!send.Queue.RecordsRefused)
        {
            send.Queue.RecordsRefused = true;
            var topic = send.Queue.Topic;
            ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.RecordsRefused(logger, topic, SendFailure.Name(code)), null);
        }
    }

    // Under the lock.
    private void RefusedForSize(TopicQueue queue)
    {
        // While draining, what else is refused is of the same refusal.
        if (queue.Limit != TopicLimit.Refused && !(queue.Limit == TopicLimit.Limited && _draining))
        {
            queue.RefusedAgain = queue.Limit == TopicLimit.Limited;
            queue.Limit = TopicLimit.Refused;
            if (limits is null)
            {
                queue.Window = 0;
                queue.Limit = TopicLimit.Limited;
                var topic = queue.Topic;
                ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.BatchRefused(logger, topic, 0), null);
            }
            else
            {
                limits.Ask(queue);
            }

            owner.Changed(queue);
        }
    }

    // Under the lock.
    private void Drain(ProducerGeneration generation)
    {
        if (!_draining)
        {
            // At once, before the client has a new epoch from the broker and continues with what followed.
            _draining = true;
            generation.Client.PurgeQueued(wait: false);
            _ = Task.Run(() => DrainAsync(generation));
        }
    }

    // Takes back what the client has queued until nothing is with it. It waits for each purge: one that is late would take what is sent afterwards.
    private async Task DrainAsync(ProducerGeneration generation)
    {
        try
        {
            generation.Client.PurgeQueued(wait: true);
            while (generation.InFlight > 0 && generation.Fatal is null)
            {
                // What was under way at the last purge may be queued again by now.
                await Task.Delay(DrainTick, time, stopped).ConfigureAwait(false);
                generation.Client.PurgeQueued(wait: true);
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }

        lock (guard)
        {
            if (owner.IsCurrent(generation))
            {
                _draining = false;
                owner.ScheduleDispatch();
            }
        }
    }
}
