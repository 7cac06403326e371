using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Decides which message may run now: one lane's messages one after the other, different lanes side by side, at most <c>parallelism</c> at once,
/// and the partitions in turn, so that one with many slow messages never starves another.
/// It knows nothing of offsets (that is <see cref="OffsetTracker"/>) and never calls a handler under its lock.
/// </summary>
/// <remarks>
/// Thread-safe: one lock guards all lanes of a subscription and the states of its partitions. The poll thread enqueues and never waits.
/// <code>
///   Idle ──▶ Ready ──worker──▶ Running ──finished, more──▶ Ready       empty: ──▶ Idle (forgotten)
///              ▲                  │──repeat──▶ Waiting ──timer──▶ Ready
///              └──partition goes on── Held ◀──partition stopped or draining
/// </code>
/// What belongs to a partition that is Gone is dropped at once, but for what a worker has. A worker is one asynchronous loop: it takes lanes
/// while there are any and ends when there is none. While lanes are ready and there may be more workers, exactly one is on its way: each starts
/// the next when it arrives, so handlers that are done at once are not called by more threads than have something to do.
/// </remarks>
internal sealed class LaneScheduler
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, Lane> _lanes = [];   // those that hold messages; transient ones (no key) are not in it
    private readonly Queue<AssignedPartition> _turns = new();   // those with ready lanes, each once
    private readonly Stack<Lane> _spare = new();
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

    public LaneScheduler(
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
            lock (_gate)
            {
                return _runningHandlers;
            }
        }
    }

    private int _runningHandlers;

    /// <summary>Whether no worker is on its way: each runs a handler. For tests, which would otherwise have to guess.</summary>
    public bool IsSettled
    {
        get
        {
            lock (_gate)
            {
                return _workers == _runningHandlers;
            }
        }
    }

    /// <summary>Lanes of keys (or partitions) that hold messages.</summary>
    public int KeyedLanes
    {
        get
        {
            lock (_gate)
            {
                return _lanes.Count;
            }
        }
    }

    /// <summary>Takes messages over from the poll thread, in their order.</summary>
    public void Enqueue(ReadOnlySpan<Delivery> deliveries)
    {
        bool start;
        lock (_gate)
        {
            foreach (var delivery in deliveries)
            {
                var lane = LaneOf(delivery);
                lane.Append(delivery);
                if (lane.State is LaneState.Idle || (lane is { State: LaneState.Waiting, Filling: true } && lane.Count >= _batch!.Value.Size))
                {
                    Arm(lane);
                }
            }

            start = ClaimWorker();
        }

        Start(start);
    }

    /// <summary>Handlers that run in this partition, those of an epoch that a seek ended included.</summary>
    public int RunningIn(AssignedPartition partition)
    {
        lock (_gate)
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
        lock (_gate)
        {
            _closed = true;
        }
    }

    /// <summary>A seek began another epoch of the partition.</summary>
    public void Succeed(AssignedPartition next, AssignedPartition former)
    {
        lock (_gate)
        {
            next.Predecessor = former.Running > 0 ? former : former.Predecessor;
            former.Predecessor = null;
        }
    }

    public PartitionState StateOf(AssignedPartition partition)
    {
        lock (_gate)
        {
            return partition.State;
        }
    }

    /// <summary>The failures it stopped at, lowest offset first.</summary>
    public (long Offset, Exception Reason)? FirstFailure(AssignedPartition partition)
    {
        lock (_gate)
        {
            return partition.Failures.Count == 0 ? null : (partition.Failures.GetKeyAtIndex(0), partition.Failures.GetValueAtIndex(0).Reason);
        }
    }

    /// <summary>Starts nothing more in this partition; what runs may finish and counts.</summary>
    public void Drain(AssignedPartition partition)
    {
        lock (_gate)
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
        lock (_gate)
        {
            partition.State = PartitionState.Gone;
            partition.Failures.Clear();

            // No worker may come by for as long as a handler hangs, and the partition may come and go meanwhile: nothing of it is kept until then.
            foreach (var lane in _lanes.Values)
            {
                if (lane.State is LaneState.Running)
                {
                    lane.ForgetUntaken(partition);
                }
            }

            start = Release(partition);
        }

        Start(start);
        _circuit?.Forget(partition);
    }

    /// <summary>Of a partition that is draining: takes out what was not begun, or waits for a repetition.</summary>
    public List<Delivery> TakeUnstarted(AssignedPartition partition)
    {
        var taken = new List<Delivery>();
        lock (_gate)
        {
            Lane[] lanes = [.. partition.Held, .. partition.Waiting, .. partition.Ready];
            partition.Held.Clear();
            partition.Waiting.Clear();
            partition.Ready.Clear();
            foreach (var lane in lanes)
            {
                while (lane.Head is { } head && ReferenceEquals(head.Partition, partition))
                {
                    taken.Add(lane.RemoveHead());
                }

                lane.State = LaneState.Idle;
                Arm(lane);
            }
        }

        return taken;
    }

    /// <summary>Lets a stopped partition go on; with <paramref name="skipFirst"/> its first failed message is finished unhandled.</summary>
    /// <returns>Whether it was stopped at a message; and the skipped one.</returns>
    public (bool WasStopped, Delivery? Skipped) Resume(AssignedPartition partition, bool skipFirst)
    {
        bool start;
        Delivery? skipped = null;
        lock (_gate)
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
                var lane = partition.Held.Find(lane => ReferenceEquals(lane.Head, skipped))!;
                _completed.Push(lane.RemoveHead());
            }

            partition.Failures.Clear();
            start = Release(partition);
        }

        Start(start);
        return (true, skipped);
    }

    /// <summary>Starts nothing more in this partition until it is let go; what runs may finish and counts.</summary>
    public void Hold(AssignedPartition partition, bool hold)
    {
        bool start;
        lock (_gate)
        {
            partition.OnHold = hold;
            start = !hold && Release(partition);
        }

        Start(start);
    }

    /// <summary>Starts nothing in this partition while it is without its retry partition; what runs may finish and counts.</summary>
    public void LeaveAlone(AssignedPartition partition, bool alone)
    {
        bool start;
        lock (_gate)
        {
            partition.IsAlone = alone;
            start = !alone && Release(partition);
        }

        Start(start);
    }

    // What was held back or waits is looked at again; returns whether to start a worker.
    private bool Release(AssignedPartition partition)
    {
        Lane[] lanes = partition.State is PartitionState.Gone ? [.. partition.Held, .. partition.Waiting, .. partition.Ready] : [.. partition.Held];
        partition.Held.Clear();
        if (partition.State is PartitionState.Gone)
        {
            partition.Waiting.Clear();
            partition.Ready.Clear();
        }

        Array.ForEach(lanes, Arm);
        return ClaimWorker();
    }

    private Lane LaneOf(Delivery delivery)
    {
        var key = _order switch
        {
            MessageOrder.ByPartition => delivery.Partition.LaneSeed,
            MessageOrder.ByKey when delivery.Key is { } bytes => LaneKey.Of(delivery.Partition.LaneSeed, bytes),
            _ => 0UL,
        };

        // What is only moved waits for nothing, and is in nobody's batch.
        if (key == 0 || delivery.Departure is not null)
        {
            return NewLane(0);
        }

        if (!_lanes.TryGetValue(key, out var lane))
        {
            lane = NewLane(key);
            _lanes.Add(key, lane);
        }

        return lane;
    }

    private Lane NewLane(ulong key)
    {
        var lane = _spare.Count > 0 ? _spare.Pop() : new Lane();
        lane.Key = key;
        lane.State = LaneState.Idle;
        return lane;
    }

    // The one place that says what a lane does next, from its first message's partition.
    private void Arm(Lane lane)
    {
        lane.Timer?.Dispose();
        lane.Timer = null;
        lane.Filling = false;
        while (lane.Head is { } head)
        {
            if (lane.State is LaneState.Waiting)
            {
                head.Partition.Waiting.Remove(lane);
            }

            switch (head.Partition.State)
            {
                case PartitionState.Gone:
                    lane.RemoveHead();
                    lane.Flush = false;
                    continue;

                case PartitionState.Stopped or PartitionState.Draining:
                case PartitionState.Active when IsOnHold(head) || _closed:
                    lane.State = LaneState.Held;
                    head.Partition.Held.Add(lane);
                    return;

                case PartitionState.Active when _batch is { } batch && lane.Count < batch.Size && !lane.Flush && head.Departure is null
                    && head.Standing is null:
                    lane.Filling = true;
                    Wait(lane, batch.Wait);
                    return;

                default:
                    lane.State = LaneState.Ready;
                    head.Partition.Ready.Enqueue(lane);
                    if (head.Partition.Ready.Count == 1)
                    {
                        _turns.Enqueue(head.Partition);
                    }

                    return;
            }
        }

        lane.State = LaneState.Idle;
        lane.Flush = false;
        if (lane.Key != 0)
        {
            _lanes.Remove(lane.Key);
        }

        if (_spare.Count < 1_024)
        {
            _spare.Push(lane);
        }
    }

    private void Wait(Lane lane, TimeSpan delay)
    {
        lane.State = LaneState.Waiting;
        lane.Head!.Partition.Waiting.Add(lane);
        var timer = new LaneTimer(_time, Wake, lane, delay);
        lane.Timer = timer.Timer = _time.CreateTimer(static state => ((LaneTimer)state!).Fire(), timer, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        timer.Start();
    }

    private void Wake(Lane lane, ITimer timer)
    {
        bool start;
        lock (_gate)
        {
            // A timer that fired while its lane was released in another way has nothing to say.
            if (!ReferenceEquals(lane.Timer, timer))
            {
                return;
            }

            lane.Flush = true;
            Arm(lane);
            start = ClaimWorker();
        }

        Start(start);
    }

    /// <summary>The circuit lets something start again.</summary>
    public void Wake()
    {
        bool start;
        lock (_gate)
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
        Lane? lane;
        bool another;
        lock (_gate)
        {
            _starting = false;
            lane = Take();
            another = ClaimWorker();
        }

        Start(another);
        while (lane is not null)
        {
            Outcome outcome;
            try
            {
                outcome = await _pipeline.RunAsync(lane).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                // Whatever code of the application it came out of: the worker and its lane would be lost, and nobody would see it.
                outcome = HandlerPipeline.Broken(lane, error);
            }

            _circuit?.Settle(lane.Head!);
            lane = Finish(lane, outcome);
        }
    }

    private Lane? Take()
    {
        while (_circuit is not { MayStart: false } && _turns.TryDequeue(out var partition))
        {
            if (!partition.Ready.TryDequeue(out var lane))
            {
                continue;   // dropped since its turn was noted
            }

            if (partition.Ready.Count > 0)
            {
                _turns.Enqueue(partition);
            }

            if (partition.State is not PartitionState.Active || IsOnHold(lane.Head!) || _closed)
            {
                Arm(lane);
                continue;
            }

            if (_circuit is { } circuit && !circuit.TryStart(lane.Head!))
            {
                Arm(lane);   // it opened, or another scheduler has the probe
                continue;
            }

            lane.State = LaneState.Running;
            lane.Flush = false;
            lane.Taken = _batch is { } batch && _circuit?.IsProbe(lane.Head!) is not true ? CountFor(lane, partition, batch.Size) : 1;
            partition.Running++;
            _runningHandlers++;
            return lane;
        }

        _workers--;
        return null;
    }

    // What a transaction has goes through, and comes back unhandled: only so it can end.
    private static bool IsOnHold(Delivery first) => (first.Partition.OnHold || first.Partition.IsAlone) && first.Part is null;

    // A batch is of one epoch: what arrived under another one waits.
    private static int CountFor(Lane lane, AssignedPartition partition, int most)
    {
        var count = 0;
        for (var delivery = lane.Head; delivery is not null && count < most && ReferenceEquals(delivery.Partition, partition); delivery = delivery.Next)
        {
            count++;
        }

        return count;
    }

    private Lane? Finish(Lane lane, Outcome outcome)
    {
        AssignedPartition? stopped = null;
        Lane? next;
        lock (_gate)
        {
            var partition = lane.Head!.Partition;
            partition.Running--;
            _runningHandlers--;
            for (var i = 0; i < outcome.Finished; i++)
            {
                _completed.Push(lane.RemoveHead());
            }

            switch (outcome.Next)
            {
                case OutcomeKind.Repeat when outcome.Delay > TimeSpan.Zero && partition.State is PartitionState.Active:
                    Wait(lane, outcome.Delay);
                    break;

                case OutcomeKind.PutBack:
                    lane.Head!.IsPutBack = true;
                    _completed.Push(lane.RemoveHead());
                    Arm(lane);
                    break;

                case OutcomeKind.Failed when partition.State is PartitionState.Active or PartitionState.Stopped:
                    partition.State = PartitionState.Stopped;
                    partition.Failures[lane.Head!.Offset] = (lane.Head, outcome.Error!);
                    stopped = partition;
                    Arm(lane);
                    break;

                default:
                    lane.Flush = outcome.Next is OutcomeKind.Repeat;
                    Arm(lane);
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
