using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Consuming;

/// <summary>
/// The one thread that touches a group's client: polls, hands messages to lanes, takes back what is finished, stores offsets, pauses and resumes,
/// and answers rebalances. It waits for handlers only inside the revoke callback (bounded by <c>RevokeTimeout</c>) and at shutdown, and it never runs
/// a handler itself.
/// </summary>
/// <remarks>
/// Single-threaded: everything is poll thread only unless it says otherwise. Each turn: commands, completions, timers, one <c>Consume</c>.
/// <code>
///   Polling ──StopAsync──▶ Draining ──nothing runs, or deadline──▶ Closing ──▶ Ended
///      │ fatal error: all partitions lost, client abandoned
///      └──▶ Rebuilding ──backoff──▶ Polling          static identity taken over: ──▶ Ended (faulted)
/// </code>
/// Every callback that is handed to the client catches what it does: an exception out of one would make the client destroy the message in hand.
/// </remarks>
internal sealed class PollLoop
{
    private static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(30);

    private readonly ConsumerGroup _group;
    private readonly ITransport _transport;
    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly ConcurrentQueue<Action> _commands;
    private readonly Action<Exception, bool> _faulted;
    private readonly ClientLog _clientLog;
    private readonly Thread _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<TopicPartition, AssignedPartition> _assigned = [];
    private readonly FlowControl _flow;
    private readonly TimeSpan _revokeTimeout;
    private readonly bool _incremental;

    private IConsumer<byte[]?, byte[]?> _consumer = null!;
    private long _epoch;
    private bool _pausesUnknown;        // assignments or shares changed, or a pause failed: all are set anew in the next turn
    private bool _groupFull;            // all partitions are paused, since nothing more fits
    private bool _rebalancing;          // inside a rebalance callback: pauses wait until it returned
    private bool _startsWanted;         // the client named partitions without a start position since they were last decided
    private long _nextStart;            // when those that could not be decided are tried again
    private bool _showNeeded;
    private long _nextTick;
    private long _subscribedAt;
    private HashSet<string> _subscribed = [];
    private bool _joinSeen;             // an assignment came since the latest Subscribe
    private AssignedPartition? _latest; // where the latest message went
    private int _rebuilds;
    private bool _closing;

    // Set by any thread, read by the poll thread.
    private volatile Error? _fatal;
    private volatile StopRequest? _stop;

    // Written by the poll thread, read by any.
    private volatile string? _trouble;

    public PollLoop(ConsumerGroup group, ITransport transport, KafkaOptions options, KafkaDiagnostics diagnostics, ConcurrentQueue<Action> commands, Action<Exception, bool> faulted)
    {
        _group = group;
        _transport = transport;
        _options = options;
        _diagnostics = diagnostics;
        _commands = commands;
        _faulted = faulted;
        _logger = diagnostics.Logger<PollLoop>();
        _flow = new FlowControl(options.BufferMessages, options.BufferBytes - transport.Clients.PrefetchBytes, options.MaxAhead);
        _revokeTimeout = options.RevokeTimeout ?? TimeSpan.FromTicks(Math.Min(options.ShutdownTimeout.Ticks, options.MaxPollInterval.Ticks / 2));
        _incremental = options.GroupProtocol is KafkaGroupProtocol.Consumer || options.Assignor is KafkaAssignor.CooperativeSticky;
        _clientLog = new ClientLog(_logger);
        _thread = new Thread(Run) { IsBackground = true, Name = $"narad-poll-{group.Name}" };
    }

    /// <summary>Completes when the thread ended. Any thread.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Messages in memory: waiting, running, waiting for a repetition. Any thread.</summary>
    public long HeldMessages => _flow.HeldMessages;

    /// <summary>Their bytes. Any thread.</summary>
    public long HeldBytes => _flow.HeldBytes;

    /// <summary>What the client last complained about, until it works again; null while all is well. Any thread.</summary>
    public string? Trouble => _trouble;

    /// <summary>Whether the shutdown began: nothing is started any more. Any thread.</summary>
    public bool IsStopping => _stop is { Begun: true };

    public void Start() => _thread.Start();

    /// <summary>Any thread. Completes at the deadline at the latest, with what did not stop by then.</summary>
    public async Task<IReadOnlyList<string>> StopAsync(TimeSpan timeout)
    {
        // The last part of the time is for committing and leaving.
        var reserve = TimeSpan.FromTicks(Math.Min(timeout.Ticks / 10, TimeSpan.FromSeconds(2).Ticks));
        var request = new StopRequest(_diagnostics.Time.GetTimestamp(), timeout - reserve);
        _stop = request;
        _group.Completed.Signal();
        try
        {
            await Ended.WaitAsync(timeout, _diagnostics.Time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            ConsumingLog.CloseAbandoned(_logger, _group.Name, timeout);
            return [.. request.Abandoned, $"the client of group '{_group.Name}' did not close within {timeout}"];
        }

        return [.. request.Abandoned];
    }

    public void UpdateSubscription()
    {
        _subscribed = [.. _group.ReadableTopics];
        _consumer.Subscribe(_subscribed);
        _subscribedAt = _diagnostics.Time.GetTimestamp();
        _joinSeen = false;
    }

    public bool Resume(Subscription subscription, TopicPartitionId id, bool skipFirst)
    {
        if (!_assigned.TryGetValue(new TopicPartition(id.Topic, id.Partition), out var partition) || !ReferenceEquals(partition.Subscription, subscription))
        {
            return false;
        }

        if (partition.Unreadable is not null)
        {
            if (skipFirst)
            {
                return false;
            }

            partition.StartAt = Offset.Beginning;
            Reassign([partition]);
            partition.Stored = partition.UnreadableAt >= 0 ? partition.UnreadableAt : null;
            partition.Unreadable = null;
            _group.Metrics.Reset();
            ConsumingLog.ResumedFromEarliest(_logger, id, _group.Name);
            _showNeeded = true;
            return true;
        }

        var (wasStopped, skipped) = subscription.Lanes.Resume(partition, skipFirst);
        if (!wasStopped)
        {
            return false;
        }

        if (skipped is not null)
        {
            _group.Metrics.Skipped();
            ConsumingLog.Skipped(_logger, id, skipped.Result.Offset.Value, _group.Name);
        }

        ConsumingLog.Resumed(_logger, id, _group.Name);
        _showNeeded = true;
        SetPause(partition);
        return true;
    }

    public void OnStopped(AssignedPartition partition)
    {
        if (!IsCurrent(partition) || partition.Subscription.Lanes.FirstFailure(partition) is not { } failure)
        {
            return;
        }

        SayStopped(partition, failure.Offset, failure.Reason);
        SetPause(partition);
    }

    private void Run()
    {
        try
        {
            Build();
            while (!_closing)
            {
                try
                {
                    Turn();
                }
                catch (ConsumeException error)
                {
                    OnConsumeError(error);
                }
                catch (KafkaException error)
                {
                    OnClientError(error.Error);
                }

                if (_fatal is { } fatal)
                {
                    Recover(fatal);
                }
            }

            Close();
        }
        catch (Exception error)
        {
            // A mistake of ours, or a client that cannot be built: nothing was committed past, and everybody is told.
            ConsumingLog.LoopFailed(_logger, error, _group.Name);
            LoseEverything();
            Fault(error);
        }
        finally
        {
            _clientLog.Complete();
            _ended.TrySetResult();
        }
    }

    private void Turn()
    {
        while (_commands.TryDequeue(out var command))
        {
            command();
        }

        TakeCompleted();
        if (_groupFull && _flow.MayGroupResume)
        {
            _groupFull = false;
            _pausesUnknown = true;
        }

        if (_pausesUnknown)
        {
            SetPauses();
        }

        if (_diagnostics.Time.GetTimestamp() >= _nextTick)
        {
            Tick();
        }

        if (_showNeeded)
        {
            Show();
        }

        if (_stop is { } stop && DrainForStop(stop))
        {
            _closing = true;
            return;
        }

        // Above 0: with a timeout of 0 the client counts the time inside rebalance callbacks against max.poll.interval.ms.
        if (_consumer.Consume(HeldMessages > 0 ? TimeSpan.FromMilliseconds(5) : TimeSpan.FromMilliseconds(25)) is { } result)
        {
            OnMessage(result);
        }

        if (_startsWanted)
        {
            DecideStarts();
        }
    }

    private void OnMessage(ConsumeResult<byte[]?, byte[]?> result)
    {
        var partition = _latest;
        if (partition is null || !partition.Partition.Equals(result.TopicPartition))
        {
            if (!_assigned.TryGetValue(result.TopicPartition, out partition))
            {
                // The client handed out a message of a partition that it did not assign: not ours, not stored, not lost for its owner.
                ConsumingLog.StrayMessage(_logger, new TopicPartitionId(result.Topic, result.Partition.Value), result.Offset.Value, _group.Name);
                return;
            }

            _latest = partition;
        }

        var incarnation = partition.Tracker.Incarnation;
        var arrival = partition.Tracker.Add(result.Offset.Value);
        if (partition.Tracker.Incarnation != incarnation)
        {
            ConsumingLog.OffsetsWentBack(_logger, partition.Id, result.Offset.Value, _group.Name);
        }

        partition.StartAt = null;
        if (_trouble is not null)
        {
            _trouble = null;
        }

        var delivery = new Delivery(partition, result, arrival);
        _flow.Add(partition, delivery.Bytes);
        partition.Subscription.Lanes.Enqueue(delivery);
        if (_flow.IsGroupFull)
        {
            // At once, or each of the others would bring one message more.
            _groupFull = true;
            SetPauses();
        }
        else if (_flow.IsFull(partition, _assigned.Count))
        {
            SetPause(partition);
        }
    }

    private void TakeCompleted()
    {
        var finished = 0;
        for (var delivery = _group.Completed.TakeAll(); delivery is not null;)
        {
            var next = delivery.NextCompleted;
            delivery.NextCompleted = null;
            finished++;

            // S10: the object is the epoch. One that is not assigned now changes nothing, even if its partition came back.
            var partition = delivery.Partition;
            if (IsCurrent(partition))
            {
                _flow.Remove(partition, delivery.Bytes);
                partition.Tracker.Finish(delivery.Arrival);
                partition.FinishedSinceTick++;
                if (partition.Paused is true && _flow.MayResume(partition, _assigned.Count))
                {
                    SetPause(partition);
                }
            }

            delivery = next;
        }

        if (finished > 0)
        {
            _group.Metrics.FinishedMessages(finished);
        }
    }

    private void Tick()
    {
        var ticks = (long)(TickInterval.TotalSeconds * _diagnostics.Time.TimestampFrequency);
        _nextTick = _diagnostics.Time.GetTimestamp() + ticks;
        foreach (var partition in _assigned.Values)
        {
            partition.Rate = (0.7 * partition.Rate) + (0.3 * partition.FinishedSinceTick / TickInterval.TotalSeconds);
            partition.FinishedSinceTick = 0;
            TryStore(partition);
        }

        if (_diagnostics.Time.GetTimestamp() >= _nextStart)
        {
            DecideStarts();
        }

        // With KIP-848 a member without partitions may never be told so: that it has an id is then what says that it joined.
        if (!_joinSeen && _options.GroupProtocol is KafkaGroupProtocol.Consumer && _consumer.MemberId is { Length: > 0 } && _diagnostics.Time.GetElapsedTime(_subscribedAt) > TimeSpan.FromSeconds(3))
        {
            Joined();
        }
    }

    private void Joined()
    {
        _joinSeen = true;
        _rebuilds = 0;
        _trouble = null;
        foreach (var subscription in _group.Subscriptions)
        {
            // What was added since the latest Subscribe has not been joined; a pattern that nothing matched may be by now.
            if (_subscribed.Contains(subscription.Topic)
                && (subscription.State is SubscriptionState.Joining || (subscription.Settings.IsPattern && subscription.State is SubscriptionState.TopicMissing)))
            {
                ConsumingLog.Joined(_logger, subscription.Topic, _group.Name);
                subscription.MoveTo(SubscriptionState.Running);
            }
        }
    }

    // A partition whose offset the client refuses does not keep the others from theirs; it is stored at the next tick, while it is ours.
    private void TryStore(AssignedPartition partition)
    {
        try
        {
            Store(partition);
        }
        catch (KafkaException error)
        {
            OnClientError(error.Error);
        }
    }

    // S7: the only place that stores an offset; the client commits what is stored by itself.
    private void Store(AssignedPartition partition)
    {
        if (partition.Tracker.Committable is not { } offset || offset == partition.Stored)
        {
            return;
        }

        var position = new TopicPartitionOffset(partition.Partition, offset);
        if (partition.Stored is { } stored && offset < stored)
        {
            CommitBack(position);
        }

        _consumer.StoreOffset(position);
        partition.Stored = offset;
    }

    // The client does not commit a stored offset below the committed one by itself, so where the log went back it is told to, once. The poll
    // thread waits (nobody can take the partition meanwhile), but not for long: a broker that hangs would keep it for minutes.
    private void CommitBack(TopicPartitionOffset position)
    {
        var consumer = _consumer;
        var commit = Task.Run(() => consumer.Commit([position]));
        try
        {
            if (!commit.Wait(TimeSpan.FromSeconds(5)))
            {
                ConsumingLog.CommitBackFailed(_logger, null, position.Topic, position.Partition.Value, position.Offset.Value);
                _ = commit.ContinueWith(static late => _ = late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            }
        }
        catch (AggregateException error)
        {
            ConsumingLog.CommitBackFailed(_logger, error.InnerException, position.Topic, position.Partition.Value, position.Offset.Value);
        }
    }

    private bool IsCurrent(AssignedPartition partition) =>
        ReferenceEquals(partition, _latest) || (_assigned.TryGetValue(partition.Partition, out var current) && ReferenceEquals(current, partition));

    // ── pausing ───────────────────────────────────────────────────────────────────────────────────────────────────────
    private void SetPause(AssignedPartition partition)
    {
        if (!IsCurrent(partition))
        {
            return;
        }

        if (_rebalancing)
        {
            _pausesUnknown = true;
            return;
        }

        var pause = _stop is not null
            || partition.Unreadable is not null
            || partition.Subscription.Lanes.StateOf(partition) is not PartitionState.Active
            || (partition.Paused is true ? !_flow.MayResume(partition, _assigned.Count) : _flow.IsFull(partition, _assigned.Count));
        if (partition.Paused == pause)
        {
            return;
        }

        try
        {
            if (pause)
            {
                _consumer.Pause([partition.Partition]);
            }
            else
            {
                _consumer.Resume([partition.Partition]);
            }

            partition.Paused = pause;
        }
        catch (KafkaException error)
        {
            // One that stayed paused would never be read again, so all are set anew in the next turn.
            partition.Paused = null;
            _pausesUnknown = true;
            OnClientError(error.Error);
        }
    }

    private void SetPauses()
    {
        _pausesUnknown = false;
        foreach (var partition in _assigned.Values)
        {
            SetPause(partition);
        }
    }

    private void SayStopped(AssignedPartition partition, long offset, Exception reason)
    {
        ConsumingLog.Stopped(_logger, reason, partition.Id, offset, _group.Name);
        _showNeeded = true;
        if (partition.Subscription.Settings.Unhandled is UnhandledPolicy.StopHost)
        {
            _faulted(reason, true);
        }
    }

    private void Show()
    {
        _showNeeded = false;
        foreach (var subscription in _group.Subscriptions)
        {
            var mine = _assigned.Values.Where(partition => ReferenceEquals(partition.Subscription, subscription)).ToList();
            subscription.Show(
                [.. mine.Select(partition => partition.Id).OrderBy(id => id.Topic, StringComparer.Ordinal).ThenBy(id => id.Partition)],
                [.. mine.Select(StoppedAt).OfType<StoppedPartition>().OrderBy(stopped => stopped.Partition.Topic, StringComparer.Ordinal).ThenBy(stopped => stopped.Partition.Partition)]);
        }
    }

    private static StoppedPartition? StoppedAt(AssignedPartition partition) =>
        partition.Unreadable is { } unreadable ? new StoppedPartition(partition.Id, partition.UnreadableAt, unreadable)
        : partition.Subscription.Lanes.FirstFailure(partition) is { } failure ? new StoppedPartition(partition.Id, failure.Offset, failure.Reason)
        : null;

    // ── where a partition starts (S32) ────────────────────────────────────────────────────────────────────────────────
    // Once the client said that there is no offset it is silent about that partition: what failed to be decided is tried again, here. It says so for
    // one partition after the other, and all are decided at once: each decision is an assignment.
    private void DecideStarts()
    {
        _startsWanted = false;
        _nextStart = _diagnostics.Time.GetTimestamp() + _diagnostics.Time.TimestampFrequency;
        List<AssignedPartition> starting = [];
        try
        {
            foreach (var partition in _assigned.Values)
            {
                if (partition.Missing is { } missing && Decide(partition, missing))
                {
                    starting.Add(partition);
                }
            }

            Reassign(starting);
        }
        catch (KafkaException error)
        {
            // Later, all of them: one look-up that waits in vain is enough for a turn.
            OnClientError(error.Error);
            return;
        }

        foreach (var partition in starting)
        {
            if (partition.Missing is { } missing and >= 0)
            {
                _group.Metrics.Reset();
                ConsumingLog.OffsetReset(_logger, partition.Id, missing, partition.StartAt == Offset.Beginning ? "earliest" : "latest", _group.Name);
            }

            // What was committed is known to be out of range: where the new start is below it, it is committed back.
            partition.Stored = partition.Missing >= 0 ? partition.Missing : null;
            partition.Missing = null;
        }
    }

    // Whether it starts somewhere; else it is unreadable, and said to be.
    private bool Decide(AssignedPartition partition, long missing)
    {
        var settings = partition.Subscription.Settings;
        switch (missing < 0 ? settings.Start : StartOf(settings.OutOfRange))
        {
            case StartPosition.Earliest:
                partition.StartAt = Offset.Beginning;
                return true;
            case StartPosition.Latest:
                // Looked up and stored (at the next tick), so that it is committed: otherwise a restart before the first message would skip what came
                // meanwhile. It is looked up once, unless that was refused: a second look would skip what came between the two.
                var end = partition.StartAt is { } known && known != missing ? known : _consumer.QueryWatermarkOffsets(partition.Partition, TimeSpan.FromSeconds(5)).High;
                partition.StartAt = end;
                partition.Tracker.Begin(end.Value);
                return true;
            default:
                MakeUnreadable(partition, missing);
                return false;
        }
    }

    private static StartPosition StartOf(OutOfRangePolicy policy) => policy switch
    {
        OutOfRangePolicy.ResetToEarliest => StartPosition.Earliest,
        OutOfRangePolicy.ResetToLatest => StartPosition.Latest,
        _ => StartPosition.Stop,
    };

    private void MakeUnreadable(AssignedPartition partition, long missing)
    {
        partition.Unreadable = new OffsetUnavailableException(missing < 0
            ? $"Group '{_group.Name}' has no committed offset for {partition.Id}, and its start position is {nameof(StartPosition.Stop)}. Commit one, choose another start position, or resume the partition to start at its first message."
            : $"Offset {missing} of {partition.Id}, where group '{_group.Name}' stands, is not in the partition any more: retention deleted it, or the topic was created again. Resume the partition to go on at its first message, or choose {nameof(OutOfRangePolicy)}.{nameof(OutOfRangePolicy.ResetToEarliest)}.");
        partition.UnreadableAt = Math.Max(missing, -1);
        partition.Missing = null;
        SayStopped(partition, partition.UnreadableAt, partition.Unreadable);
    }

    // After auto.offset.reset=error a partition cannot be sought, only assigned again. An eager assignment is given whole, so every other
    // partition goes on behind its latest message, or at the start that was decided for it and has not come true yet. (The client's own
    // position is forgotten by an assignment, and so are its stored offsets.)
    private void Reassign(List<AssignedPartition> starting)
    {
        if (starting.Count == 0)
        {
            return;
        }

        _pausesUnknown = true;
        if (_incremental)
        {
            var partitions = starting.ConvertAll(partition => partition.Partition);
            _consumer.IncrementalUnassign(partitions);
            starting.ForEach(partition => partition.Paused = null);
            _consumer.IncrementalAssign(starting.ConvertAll(partition => new TopicPartitionOffset(partition.Partition, partition.StartAt!.Value)));
        }
        else
        {
            var all = new List<TopicPartitionOffset>(_assigned.Count);
            foreach (var other in _assigned.Values)
            {
                var position = other.StartAt ?? (other.Tracker.Next is { } next ? new Offset(next) : Offset.Unset);
                all.Add(new TopicPartitionOffset(other.Partition, position));
                other.Paused = null;
                other.Stored = null;
            }

            _consumer.Assign(all);
        }

        AwaitStops();
    }

    // librdkafka stops a partition's fetcher behind our back, and aborts the process where a partition is unassigned a second time before that
    // came about. It serves one queue: the first of these questions is behind the order to stop, the second one behind its answer.
    private void AwaitStops()
    {
        _ = _consumer.Assignment;
        _ = _consumer.Assignment;
    }

    // ── rebalances ────────────────────────────────────────────────────────────────────────────────────────────────────
    private void OnAssigned(List<TopicPartition> partitions) => Rebalance(() =>
    {
        foreach (var partition in partitions)
        {
            var subscription = _group.Subscriptions.FirstOrDefault(candidate => candidate.Covers(partition.Topic));
            if (subscription is null)
            {
                ConsumingLog.StrayAssignment(_logger, new TopicPartitionId(partition.Topic, partition.Partition.Value), _group.Name);
                continue;
            }

            if (_assigned.TryGetValue(partition, out var older))
            {
                Forget(older);
                older.Cancel(_logger);
            }

            var assigned = new AssignedPartition(partition, subscription, ++_epoch);
            _assigned[partition] = assigned;
            if (_stop is not null)
            {
                subscription.Lanes.Drain(assigned);
            }

            if (subscription.Settings.IsPattern)
            {
                _transport.SendGate?.GroupReads(_group.Name, partition.Topic);
            }
        }

        ConsumingLog.Assigned(_logger, partitions.Count, _group.Name);
        _pausesUnknown = true;
        _showNeeded = true;
        Joined();
    });

    // S11. Blocks the poll thread on purpose: the client gives the partitions away as soon as this returns.
    private void OnRevoked(List<TopicPartitionOffset> partitions) => Rebalance(() =>
    {
        var revoked = Find(partitions);
        ConsumingLog.Revoked(_logger, revoked.Count, _group.Name);
        foreach (var partition in revoked)
        {
            partition.Subscription.Lanes.Drain(partition);
        }

        var started = _diagnostics.Time.GetTimestamp();
        while (!_closing && revoked.Exists(partition => partition.Subscription.Lanes.RunningIn(partition) > 0))
        {
            // A shutdown's own deadline may come first.
            var left = _revokeTimeout - _diagnostics.Time.GetElapsedTime(started);
            if (_stop is { } stop && stop.Deadline - _diagnostics.Time.GetElapsedTime(stop.Since) is var untilStop && untilStop < left)
            {
                left = untilStop;
            }

            if (left <= TimeSpan.Zero)
            {
                break;
            }

            _group.Completed.Wait(left < TickInterval ? left : TickInterval);
            TakeCompleted();
        }

        TakeCompleted();
        foreach (var partition in revoked)
        {
            var running = partition.Subscription.Lanes.RunningIn(partition);
            if (running > 0)
            {
                ConsumingLog.RevokeDeadline(_logger, partition.Id, running, _revokeTimeout, _group.Name);
                partition.Cancel(_logger);
                if (!_closing)
                {
                    _stop?.Abandon(partition, running, _group.Name);   // else it was named already
                }
            }

            TryStore(partition);
            Forget(partition);
        }
    });

    private void OnLost(List<TopicPartitionOffset> partitions) => Rebalance(() =>
    {
        var lost = Find(partitions);
        ConsumingLog.Lost(_logger, lost.Count, _group.Name);
        foreach (var partition in lost)
        {
            // Dropped first, so that what is cancelled is not started again.
            Forget(partition);
            partition.Cancel(_logger);
        }
    });

    private List<AssignedPartition> Find(List<TopicPartitionOffset> partitions)
    {
        var found = new List<AssignedPartition>(partitions.Count);
        foreach (var partition in partitions)
        {
            if (_assigned.TryGetValue(partition.TopicPartition, out var assigned))
            {
                found.Add(assigned);
            }
        }

        return found;
    }

    private void Forget(AssignedPartition partition)
    {
        partition.Subscription.Lanes.Drop(partition);
        _flow.Forget(partition);
        _assigned.Remove(partition.Partition);
        _latest = null;
        _showNeeded = true;
        _pausesUnknown = true;   // the others' shares grew
    }

    private void LoseEverything()
    {
        foreach (var partition in _assigned.Values.ToList())
        {
            Forget(partition);
            partition.Cancel(_logger);
        }

        Show();
    }

    private void Rebalance(Action action)
    {
        _rebalancing = true;
        Guard(action);
        _rebalancing = false;
    }

    // An exception out of a callback makes the client destroy the message in hand, so none leaves.
    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception error)
        {
            ConsumingLog.CallbackFailed(_logger, error, _group.Name);
        }
    }

    // ── trouble ───────────────────────────────────────────────────────────────────────────────────────────────────────
    private void OnConsumeError(ConsumeException error)
    {
        if (error.Error.Code is ErrorCode.Local_AutoOffsetReset && error.ConsumerRecord is { } record && _assigned.TryGetValue(record.TopicPartition, out var partition))
        {
            if (partition.Unreadable is null)
            {
                partition.Missing = record.Offset.Value;
                _startsWanted = true;
            }

            return;
        }

        OnClientError(error.Error);
    }

    private void OnClientError(Error error)
    {
        if (error.IsFatal)
        {
            _fatal ??= error;
            return;
        }

        if (error.Code is ErrorCode.GroupAuthorizationFailed or ErrorCode.TopicAuthorizationFailed)
        {
            var refusal = new KafkaConnectionException($"Group '{_group.Name}' may not read: {error.Reason} ({error.Code}). Give the user of ClientId '{_options.ClientId}' the right to READ the group and its topics.");
            foreach (var subscription in _group.Subscriptions.Where(subscription => subscription.State is SubscriptionState.Joining))
            {
                subscription.MoveTo(SubscriptionState.Faulted, refusal);
            }
        }

        if (!string.Equals(_trouble, error.Reason, StringComparison.Ordinal))
        {
            _trouble = error.Reason;
            ConsumingLog.ClientError(_logger, error.Code, error.Reason, _group.Name);
        }
    }

    // S11: a fatal error raises no callback. Nothing is stored any more; the handlers are cancelled; a new client joins as a new member.
    private void Recover(Error fatal)
    {
        ConsumingLog.FatalError(_logger, fatal.Code, fatal.Reason, _group.Name);
        LoseEverything();
        DisposeLater(_consumer);
        _trouble = fatal.Reason;
        _fatal = null;
        if (fatal.Code is ErrorCode.FencedInstanceId)
        {
            Fault(new KafkaConnectionException($"Another member took over the static identity '{_options.GroupInstanceId}' of group '{_group.Name}': {fatal.Reason} Give each process its own GroupInstanceId."));
            _closing = true;
            _consumer = null!;
            return;
        }

        var backoff = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, _rebuilds), LongestBackoff.TotalSeconds));
        _rebuilds = Math.Min(_rebuilds + 1, 10);
        foreach (var subscription in _group.Subscriptions.Where(subscription => subscription.State is SubscriptionState.Running))
        {
            subscription.MoveTo(SubscriptionState.Joining);
        }

        var started = _diagnostics.Time.GetTimestamp();
        while (_stop is null && _diagnostics.Time.GetElapsedTime(started) < backoff)
        {
            _group.Completed.Wait(TickInterval);
            TakeCompleted();
        }

        Build();
    }

    private void Fault(Exception error)
    {
        foreach (var subscription in _group.Subscriptions)
        {
            subscription.MoveTo(SubscriptionState.Faulted, error);
        }

        _faulted(error, false);
    }

    // ── beginning and end ─────────────────────────────────────────────────────────────────────────────────────────────
    private void Build()
    {
        var config = _transport.Clients.Consumer(_group.Name);
        _consumer = new ConsumerBuilder<byte[]?, byte[]?>(config)
            .SetKeyDeserializer(Deserializers.ByteArray!)
            .SetValueDeserializer(Deserializers.ByteArray!)
            .SetPartitionsAssignedHandler((_, partitions) => OnAssigned(partitions))
            .SetPartitionsRevokedHandler((_, partitions) => OnRevoked(partitions))
            .SetPartitionsLostHandler((_, partitions) => OnLost(partitions))
            .SetErrorHandler((_, error) => Guard(() => OnClientError(error)))
            .SetOffsetsCommittedHandler((_, committed) => Guard(() => OnCommitted(committed)))
            .SetLogHandler((_, message) => _clientLog.Write(message))
            .Build();
        UpdateSubscription();
    }

    private void OnCommitted(Confluent.Kafka.CommittedOffsets committed)
    {
        if (committed.Error.IsError && committed.Error.Code is not ErrorCode.Local_NoOffset)
        {
            ConsumingLog.CommitFailed(_logger, committed.Error.Code, committed.Error.Reason, _group.Name);
        }
        else
        {
            _trouble = null;
        }
    }

    // Keeps polling, so that the group does not evict us, until nothing runs or the deadline came.
    private bool DrainForStop(StopRequest stop)
    {
        if (!stop.Begun)
        {
            stop.Begun = true;
            foreach (var partition in _assigned.Values)
            {
                partition.Subscription.Lanes.Drain(partition);
                SetPause(partition);
            }
        }

        var running = _assigned.Values.Sum(partition => partition.Subscription.Lanes.RunningIn(partition));
        if (running == 0 && _group.Completed.IsEmpty)
        {
            return true;
        }

        if (_diagnostics.Time.GetElapsedTime(stop.Since) < stop.Deadline)
        {
            return false;
        }

        foreach (var partition in _assigned.Values)
        {
            var left = partition.Subscription.Lanes.RunningIn(partition);
            if (left > 0)
            {
                stop.Abandon(partition, left, _group.Name);
                partition.Cancel(_logger);
            }
        }

        return true;
    }

    private void Close()
    {
        if (_consumer is null)
        {
            return;
        }

        TakeCompleted();
        foreach (var partition in _assigned.Values)
        {
            TryStore(partition);
        }

        try
        {
            _consumer.Close();   // commits what is stored, calls the revoked handler, leaves the group
        }
        catch (KafkaException error)
        {
            ConsumingLog.CloseFailed(_logger, error, _group.Name);
        }

        LoseEverything();
        _consumer.Dispose();
    }

    // Disposing may block for a minute where a broker hangs.
    private void DisposeLater(IConsumer<byte[]?, byte[]?> consumer) => Task.Run(() =>
    {
        try
        {
            consumer.Dispose();
        }
        catch (KafkaException error)
        {
            ConsumingLog.CloseFailed(_logger, error, _group.Name);
        }
    }).Forget();

    /// <summary>Written by the poll thread, but for its creation; read by the stopper after the loop ended or at the deadline.</summary>
    private sealed class StopRequest(long since, TimeSpan deadline)
    {
        public long Since { get; } = since;

        public TimeSpan Deadline { get; } = deadline;

        public ConcurrentBag<string> Abandoned { get; } = [];

        public bool Begun { get; set; }

        public void Abandon(AssignedPartition partition, int running, string group) =>
            Abandoned.Add($"{running} handler(s) of {partition.Id} in group '{group}' did not finish within {Deadline}: their messages stay uncommitted");
    }
}
