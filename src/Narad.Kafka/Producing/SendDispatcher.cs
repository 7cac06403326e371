using Confluent.Kafka;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>
/// Hands sends to the client: at once, or, from the thread pool, those that wait when their turn has come. It never hands one over while the client's queue is
/// full or being drained, and never chooses whose turn it is.
/// </summary>
/// <remarks>
/// Threading: under the lock of <see cref="SendQueue"/>, except for <see cref="Schedule"/> and <see cref="Reported"/>, which are thread-safe.
/// </remarks>
internal sealed class SendDispatcher(
    Lock guard,
    WaitingSends waiting,
    ProducerLife life,
    SendDeadlines deadlines,
    BatchRefusals refusals,
    SendTally tally,
    ISendBackpressure? backpressure,
    CancellationToken stopped)
{
    private const int MostAtOnce = 256;

    private long _resumeAt;

    // Written under the lock, read by reports without it.
    private volatile bool _queueFull;

    // Interlocked.
    private int _scheduled;

    /// <summary>Sees, on another thread, whether somebody can go.</summary>
    public void Schedule()
    {
        if (Interlocked.Exchange(ref _scheduled, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static dispatcher => dispatcher.Run(), this, preferLocal: false);
        }
    }

    /// <summary>A send of this client has its answer: whoever waited for that may go. On the client's thread.</summary>
    public void Reported(ProducerGeneration generation)
    {
        if (waiting.Any && !refusals.Draining && (!_queueFull || generation.InFlight <= Volatile.Read(ref _resumeAt)))
        {
            Schedule();
        }
    }

    /// <summary>Hands a new send over where nobody of its topic waits.</summary>
    /// <returns>True: it is with the client, or failed for good; false: it has to wait.</returns>
    public bool TryGo(PendingSend send)
        => life.State == ProducerState.Running && !_queueFull && !refusals.Draining && send.Queue.Waiting.Count == 0 && send.Queue.MayGo(send)
            && HandOver(send);

    /// <summary>A send joined the queue: a report that came just before woke nobody.</summary>
    public void Joined()
    {
        Interlocked.MemoryBarrier();
        if (life.Generation is { } generation && (!_queueFull || generation.InFlight <= Volatile.Read(ref _resumeAt)))
        {
            Schedule();
        }
    }

    /// <summary>A send that the client has not, or not any more, takes its place in the queue again.</summary>
    public void WaitAgain(PendingSend send)
    {
        send.Stage = SendStage.Waiting;
        waiting.Insert(send);
        deadlines.Waits(send);
    }

    /// <summary>Another client, whose queue is empty, or none.</summary>
    public void Restart() => _queueFull = false;

    /// <summary>Asks again where no report can: an empty client whose queue was just full.</summary>
    public void AskAgain()
    {
        _queueFull &= life.Generation is { InFlight: > 0 };
        Schedule();
    }

    private void Run()
    {
        Volatile.Write(ref _scheduled, 0);
        Interlocked.MemoryBarrier();
        while (true)
        {
            lock (guard)
            {
                if (life.State != ProducerState.Running || refusals.Draining)
                {
                    return;
                }

                if (_queueFull && life.Generation!.InFlight <= Volatile.Read(ref _resumeAt))
                {
                    _queueFull = false;
                }

                if (!RunUnderLock())
                {
                    return;
                }
            }
        }
    }

    // Under the lock, for a bounded number of sends, so that senders and cancellations get their turn. False: nobody can go now.
    private bool RunUnderLock()
    {
        for (var i = 0; i < MostAtOnce; i++)
        {
            if (_queueFull || refusals.Draining || waiting.Next() is not { } send)
            {
                return false;
            }

            waiting.Remove(send);
            if (!HandOver(send))
            {
                WaitAgain(send);

                // The flags may have been set just after the report that would have woken us.
                Interlocked.MemoryBarrier();
                var inFlight = life.Generation!.InFlight;
                if (_queueFull && inFlight <= Volatile.Read(ref _resumeAt) && inFlight > 0)
                {
                    _queueFull = false;
                    continue;
                }

                if (_queueFull)
                {
                    return false;
                }
            }
        }

        return true;
    }

    // Under the lock. True: it is with the client, or failed for good; false: it has to wait.
    private bool HandOver(PendingSend send)
    {
        var queue = send.Queue;
        var generation = life.Generation!;
        if (backpressure is not null && !backpressure.TryEnter(queue.Topic, send.Bytes))
        {
            queue.IsAtCapacity = true;
            _ = WaitForRoomAsync(queue);
            return false;
        }

        send.Stage = SendStage.Sent;
        send.Generation = generation;
        deadlines.HandedOver(send);
        queue.Entered(send);
        generation.Entered(send);
        var error = generation.Client.TryProduce(send);
        if (error.Code == ErrorCode.NoError)
        {
            return true;
        }

        generation.TryTake(send);
        queue.Left(1, send.Bytes);
        generation.Left();
        backpressure?.Failed(queue.Topic, send.Bytes);
        if (error.Code == ErrorCode.Local_QueueFull)
        {
            // Room for an eighth is waited for: asking after every report would cost an exception each.
            var inFlight = generation.InFlight;
            Volatile.Write(ref _resumeAt, inFlight - Math.Max(1, inFlight / 8));
            _queueFull = true;
            return false;
        }

        if (SendFailure.IsFatalAnswer(error))
        {
            ReportFatal(generation, error);
            return false;
        }

        tally.CountFailed();
        send.TryComplete(SendFailure.Refused(send, error.Code, error.Reason, mayHaveBeenWritten: false));
        send.LetGo();
        tally.Done();
        return true;
    }

    // A method of its own: its closure would be allocated for each message.
    private void ReportFatal(ProducerGeneration generation, Error error) => _ = Task.Run(() => life.Fatal(generation, error));

    private async Task WaitForRoomAsync(TopicQueue queue)
    {
        try
        {
            await backpressure!.WaitAsync(queue.Topic, stopped).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        lock (guard)
        {
            queue.IsAtCapacity = false;
            Schedule();
        }
    }
}
