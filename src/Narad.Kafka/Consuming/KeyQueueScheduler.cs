using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Decides which message may run now: one key queue's messages one after the other, different key queues side by side, at most <c>parallelism</c> at once,
/// and the partitions in turn, so that one with many slow messages never starves another.
/// It knows nothing of offsets (that is <see cref="OffsetTracker"/>) and never calls a handler under its lock.
/// </summary>
/// <remarks>
/// Thread-safe: one lock guards all key queues of a subscription and the states of its partitions. The poll thread enqueues and never waits.
/// <code>
///   Idle ──▶ Ready ──worker──▶ Running ──finished, more──▶ Ready       empty: ──▶ Idle (forgotten)
///              ▲                  │──retry───▶ Waiting ──timer──▶ Ready
///              └──partition continues── Suspended ◀──partition stopped or draining
/// </code>
/// What belongs to a partition that is Gone is dropped at once, but for what a worker has. A worker is one asynchronous loop: it takes key queues
/// while there are any and ends when there is none. While key queues are ready and there may be more workers, exactly one is on its way: each starts
/// the next when it arrives, so handlers that are done at once are not called by more threads than have something to do.
/// </remarks>
internal sealed class KeyQueueScheduler
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, KeyQueue> _queues = [];   // those that hold messages; transient ones (no key) are not in it
    private readonly List<AssignedPartition> _partitions = [];      // those that are ours, and those that are gone while handlers of them run
    private readonly Queue<AssignedPartition> _turns = new();   // those with ready key queues, each once
    private readonly Stack<KeyQueue> _spare = new();
    private readonly int _parallelism;
    private readonly MessageOrder _order;
    private readonly BatchLimits? _batch;
    private readonly TimeProvider _time;
    private readonly CompletedDeliveries _completed;
    private readonly HandlerPipeline _pipeline;
    private readonly Action<AssignedPartition> _stopped;    // called outside the lock, on a worker's thread
    private readonly CircuitBreaker? _circuit;              // asked under the lock; it wakes us outside its own
    private int _workers;
    private bool _starting;     // one of them is on its way
    private bool _closed;

    public KeyQueueScheduler(
        int parallelism,
        MessageOrder order,
        BatchLimits? batch,
        TimeProvider time,
        HandlerPipeline pipeline,
        CompletedDeliveries completed,
        Action<AssignedPartition> stopped,
        CircuitBreaker? circuit = null)
    {
        _parallelism = parallelism;
        _order = batch is null ? order : MessageOrder.ByPartition;
        _batch = batch;
        _time = time;
        _pipeline = pipeline;
        _completed = completed;
        _stopped = stopped;
        _circuit = circuit;
        circuit?.Add(this);
    }

    /// <summary>Handlers that run now.</summary>
    public int RunningHandlers
    {
        get
        {
            lock (_lock)
            {
                return _runningHandlers;
            }
        }
    }

    private int _runningHandlers;

    /// <summary>Whether no worker is on its way: each runs a handler. For tests, which would otherwise have to guess.</summary>
    public bool HasNoStartingWorker
    {
        get
        {
            lock (_lock)
            {
                return _workers == _runningHandlers;
            }
        }
    }

    /// <summary>Key queues of keys (or partitions) that hold messages.</summary>
    public int KeyedQueues
    {
        get
        {
            lock (_lock)
            {
                return _queues.Count;
            }
        }
    }

    /// <summary>Takes messages over from the poll thread, in their order.</summary>
    public void Enqueue(ReadOnlySpan<Delivery> deliveries)
    {
        bool start;
        lock (_lock)
        {
            foreach (var delivery in deliveries)
            {
                var queue = QueueOf(delivery);
                queue.Append(delivery);
                if (queue.State is KeyQueueState.Idle || (queue is { State: KeyQueueState.Waiting, Filling: true } && queue.Count >= _batch!.Value.Size))
                {
                    Reschedule(queue);
                }
            }

            start = ClaimWorker();
        }

        Start(start);
    }

    /// <summary>The partitions in which handlers run, and how many: also where a partition is not ours any more.</summary>
    public IReadOnlyList<(TopicPartitionId Partition, int Running)> RunningByPartition
    {
        get
        {
            lock (_lock)
            {
                return [.. _partitions.GroupBy(static partition => partition.Id, static partition => partition.Running)
                    .Select(static epochs => (epochs.Key, epochs.Sum())).Where(static busy => busy.Item2 > 0)];
            }
        }
    }

    /// <summary>Handlers that run in this partition, those of an epoch that a seek ended included.</summary>
    public int RunningIn(AssignedPartition partition)
    {
        lock (_lock)
        {
            var running = 0;
            for (var epoch = partition; epoch is not null; epoch = epoch.Predecessor)
            {
                running += epoch.Running;
            }

            return running;
        }
    }

    /// <summary>Starts nothing more, in no partition; what runs may finish and counts.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }

    /// <summary>The partition is ours.</summary>
    public void Add(AssignedPartition partition)
    {
        lock (_lock)
        {
            _partitions.Add(partition);
        }
    }

    /// <summary>A seek began another epoch of the partition.</summary>
    public void LinkPredecessor(AssignedPartition next, AssignedPartition former)
    {
        lock (_lock)
        {
            next.Predecessor = former.Running > 0 ? former : former.Predecessor;
            former.Predecessor = null;
        }
    }

    public PartitionState StateOf(AssignedPartition partition)
    {
        lock (_lock)
        {
            return partition.State;
        }
    }

    /// <summary>The failures it stopped at, lowest offset first.</summary>
    public (long Offset, Exception Reason)? FirstFailure(AssignedPartition partition)
    {
        lock (_lock)
        {
            return partition.Failures.Count == 0 ? null : (partition.Failures.GetKeyAtIndex(0), partition.Failures.GetValueAtIndex(0).Reason);
        }
    }

    /// <summary>Starts nothing more in this partition; what runs may finish and counts.</summary>
    public void Drain(AssignedPartition partition)
    {
        lock (_lock)
        {
            if (partition.State is not PartitionState.Gone)
            {
                partition.State = PartitionState.Draining;
            }
        }
    }

    /// <summary>The partition is not ours any more: drops what has not started and what waits.</summary>
    public void Drop(AssignedPartition partition)
    {
        bool start;
        lock (_lock)
        {
            partition.State = PartitionState.Gone;
            partition.Failures.Clear();
            RemoveIfGone(partition);

            // No worker may come by for as long as a handler hangs, and the partition may come and go meanwhile: nothing of it is kept until then.
            foreach (var queue in _queues.Values)
            {
                if (queue.State is KeyQueueState.Running)
                {
                    queue.ForgetUntaken(partition);
                }
            }

            start = Requeue(partition);
        }

        Start(start);
        _circuit?.Forget(partition);
    }

    /// <summary>Of a partition that is draining: takes out what was not begun, or waits for a retry.</summary>
    public List<Delivery> TakeUnstarted(AssignedPartition partition)
    {
        var taken = new List<Delivery>();
        lock (_lock)
        {
            KeyQueue[] queues = [.. partition.Suspended, .. partition.Waiting, .. partition.Ready];
            partition.Suspended.Clear();
            partition.Waiting.Clear();
            partition.Ready.Clear();
            foreach (var queue in queues)
            {
                while (queue.Head is { } head && ReferenceEquals(head.Partition, partition))
                {
                    taken.Add(queue.RemoveHead());
                }

                queue.State = KeyQueueState.Idle;
                Reschedule(queue);
            }
        }

        return taken;
    }

    /// <summary>Lets a stopped partition continue; with <paramref name="skipFirst"/> its first failed message is finished unhandled.</summary>
    /// <returns>Whether it was stopped at a message; and the skipped one.</returns>
    public (bool WasStopped, Delivery? Skipped) Resume(AssignedPartition partition, bool skipFirst)
    {
        bool start;
        Delivery? skipped = null;
        lock (_lock)
        {
            if (partition.State is not PartitionState.Stopped)
            {
                return (false, null);
            }

            partition.State = PartitionState.Active;
            foreach (var (delivery, _) in partition.Failures.Values)
            {
                delivery.Attempts = 0;
                delivery.FailedProbes = 0;
            }

            if (skipFirst)
            {
                skipped = partition.Failures.GetValueAtIndex(0).Delivery;
                var queue = partition.Suspended.Find(queue => ReferenceEquals(queue.Head, skipped))!;
                _completed.Push(queue.RemoveHead());
            }

            partition.Failures.Clear();
            start = Requeue(partition);
        }

        Start(start);
        return (true, skipped);
    }

    /// <summary>Starts nothing more in a partition that was paused by name; what runs may finish and counts.</summary>
    public void SetPausedByName(AssignedPartition partition, bool paused)
    {
        bool start;
        lock (_lock)
        {
            partition.IsPausedByName = paused;
            start = !paused && Requeue(partition);
        }

        Start(start);
    }

    /// <summary>Starts nothing in this partition while it is without its retry partition; what runs may finish and counts.</summary>
    public void SetLacksRetryPartition(AssignedPartition partition, bool lacks)
    {
        bool start;
        lock (_lock)
        {
            partition.LacksRetryPartition = lacks;
            start = !lacks && Requeue(partition);
        }

        Start(start);
    }

    private void RemoveIfGone(AssignedPartition partition)
    {
        if (partition is { State: PartitionState.Gone, Running: 0 })
        {
            _partitions.Remove(partition);
        }
    }

    // Reschedules the suspended key queues; returns whether to start a worker.
    private bool Requeue(AssignedPartition partition)
    {
        KeyQueue[] queues = partition.State is PartitionState.Gone
            ? [.. partition.Suspended, .. partition.Waiting, .. partition.Ready]
            : [.. partition.Suspended];
        partition.Suspended.Clear();
        if (partition.State is PartitionState.Gone)
        {
            partition.Waiting.Clear();
            partition.Ready.Clear();
        }

        Array.ForEach(queues, Reschedule);
        return ClaimWorker();
    }

    private KeyQueue QueueOf(Delivery delivery)
    {
        var key = _order switch
        {
            MessageOrder.ByPartition => delivery.Partition.QueueSeed,
            MessageOrder.ByKey when delivery.Key is { } bytes => KeyQueueHash.Of(delivery.Partition.QueueSeed, bytes),
            _ => 0UL,
        };

        // What is only moved waits for nothing, and is in nobody's batch.
        if (key == 0 || delivery.Forwarding is not null)
        {
            return NewQueue(0);
        }

        if (!_queues.TryGetValue(key, out var queue))
        {
            queue = NewQueue(key);
            _queues.Add(key, queue);
        }

        return queue;
    }

    private KeyQueue NewQueue(ulong key)
    {
        var queue = _spare.Count > 0 ? _spare.Pop() : new KeyQueue();
        queue.Key = key;
        queue.State = KeyQueueState.Idle;
        return queue;
    }

    // The one place that says what a key queue does next, from its first message's partition.
    private void Reschedule(KeyQueue queue)
    {
        queue.Timer?.Dispose();
        queue.Timer = null;
        queue.Filling = false;
        while (queue.Head is { } head)
        {
            if (queue.State is KeyQueueState.Waiting)
            {
                head.Partition.Waiting.Remove(queue);
            }

            switch (head.Partition.State)
            {
                case PartitionState.Gone:
                    queue.RemoveHead();
                    queue.Flush = false;
                    continue;

                case PartitionState.Stopped or PartitionState.Draining:
                case PartitionState.Active when MayNotStart(head) || _closed:
                    queue.State = KeyQueueState.Suspended;
                    head.Partition.Suspended.Add(queue);
                    return;

                case PartitionState.Active when _batch is { } batch && queue.Count < batch.Size && !queue.Flush && head.Forwarding is null
                    && head.TransactionState is null:
                    queue.Filling = true;
                    Wait(queue, batch.Wait);
                    return;

                default:
                    queue.State = KeyQueueState.Ready;
                    head.Partition.Ready.Enqueue(queue);
                    if (head.Partition.Ready.Count == 1)
                    {
                        _turns.Enqueue(head.Partition);
                    }

                    return;
            }
        }

        queue.State = KeyQueueState.Idle;
        queue.Flush = false;
        if (queue.Key != 0)
        {
            _queues.Remove(queue.Key);
        }

        if (_spare.Count < 1_024)
        {
            _spare.Push(queue);
        }
    }

    private void Wait(KeyQueue queue, TimeSpan delay)
    {
        queue.State = KeyQueueState.Waiting;
        queue.Head!.Partition.Waiting.Add(queue);
        var timer = new KeyQueueTimer(_time, Wake, queue, delay);
        queue.Timer = timer.Timer = _time.CreateTimer(static state => ((KeyQueueTimer)state!).Fire(), timer, Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan);
        timer.Start();
    }

    private void Wake(KeyQueue queue, ITimer timer)
    {
        bool start;
        lock (_lock)
        {
            // A timer that fired while its key queue was released in another way has nothing to say.
            if (!ReferenceEquals(queue.Timer, timer))
            {
                return;
            }

            queue.Flush = true;
            Reschedule(queue);
            start = ClaimWorker();
        }

        Start(start);
    }

    /// <summary>The circuit lets something start again.</summary>
    public void Wake()
    {
        bool start;
        lock (_lock)
        {
            start = ClaimWorker();
        }

        Start(start);
    }

    private bool ClaimWorker()
    {
        if (_starting || _turns.Count == 0 || _workers >= _parallelism || _circuit is { MayStart: false })
        {
            return false;
        }

        _workers++;
        return _starting = true;
    }

    private void Start(bool start)
    {
        if (start)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static scheduler => scheduler.WorkAsync().Forget(), this, preferLocal: false);
        }
    }

    private async Task WorkAsync()
    {
        KeyQueue? queue;
        bool another;
        lock (_lock)
        {
            _starting = false;
            queue = Take();
            another = ClaimWorker();
        }

        Start(another);
        while (queue is not null)
        {
            Outcome outcome;
            try
            {
                outcome = await _pipeline.RunAsync(queue).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                // Whatever code of the application it came out of: the worker and its key queue would be lost, and nobody would see it.
                outcome = HandlerPipeline.OutcomeOfFailedRun(queue, error);
            }

            _circuit?.InvocationEnded(queue.Head!);
            queue = Finish(queue, outcome);
        }
    }

    private KeyQueue? Take()
    {
        while (_circuit is not { MayStart: false } && _turns.TryDequeue(out var partition))
        {
            if (!partition.Ready.TryDequeue(out var queue))
            {
                continue;   // dropped since its turn was noted
            }

            if (partition.Ready.Count > 0)
            {
                _turns.Enqueue(partition);
            }

            if (partition.State is not PartitionState.Active || MayNotStart(queue.Head!) || _closed)
            {
                Reschedule(queue);
                continue;
            }

            if (_circuit is { } circuit && !circuit.TryStart(queue.Head!))
            {
                Reschedule(queue);   // it opened, or another scheduler has the probe
                continue;
            }

            queue.State = KeyQueueState.Running;
            queue.Flush = false;
            queue.Taken = _batch is { } batch && _circuit?.IsProbe(queue.Head!) is not true ? CountFor(queue, partition, batch.Size) : 1;
            partition.Running++;
            _runningHandlers++;
            return queue;
        }

        _workers--;
        return null;
    }

    // What a transaction has goes through, and comes back unhandled: only so it can end.
    private static bool MayNotStart(Delivery first) =>
        (first.Partition.IsPausedByName || first.Partition.LacksRetryPartition) && first.TransactionEntry is null;

    // A batch is of one epoch: what arrived under another one waits.
    private static int CountFor(KeyQueue queue, AssignedPartition partition, int most)
    {
        var count = 0;
        for (var delivery = queue.Head; delivery is not null && count < most && ReferenceEquals(delivery.Partition, partition); delivery = delivery.Next)
        {
            count++;
        }

        return count;
    }

    private KeyQueue? Finish(KeyQueue queue, Outcome outcome)
    {
        AssignedPartition? stopped = null;
        KeyQueue? next;
        lock (_lock)
        {
            var partition = queue.Head!.Partition;
            partition.Running--;
            _runningHandlers--;
            RemoveIfGone(partition);
            for (var i = 0; i < outcome.Finished; i++)
            {
                _completed.Push(queue.RemoveHead());
            }

            switch (outcome.Next)
            {
                case OutcomeKind.Retry when outcome.Delay > TimeSpan.Zero && partition.State is PartitionState.Active:
                    Wait(queue, outcome.Delay);
                    break;

                case OutcomeKind.PutBack:
                    queue.Head!.IsPutBack = true;
                    _completed.Push(queue.RemoveHead());
                    Reschedule(queue);
                    break;

                case OutcomeKind.Stop when partition.State is PartitionState.Active or PartitionState.Stopped:
                    partition.State = PartitionState.Stopped;
                    partition.Failures[queue.Head!.Offset] = (queue.Head, outcome.Error!);
                    stopped = partition;
                    Reschedule(queue);
                    break;

                default:
                    queue.Flush = outcome.Next is OutcomeKind.Retry;
                    Reschedule(queue);
                    break;
            }

            next = Take();
        }

        _completed.Signal();
        if (stopped is not null)
        {
            _stopped(stopped);
        }

        return next;
    }
}
