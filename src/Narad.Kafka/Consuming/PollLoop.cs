using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Topics;
using Narad.Kafka.Transactions;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Consuming;

/// <summary>
/// The one thread that touches a group's client: polls, hands messages to key queues, takes back what is finished, stores offsets, pauses and resumes, and
/// answers rebalances. It waits for handlers only inside the revoke callback (bounded by <c>RevokeTimeout</c>) and at shutdown, and it never runs a
/// handler itself.
/// </summary>
/// <remarks>
/// Single-threaded: everything is poll thread only unless it says otherwise. Each turn: commands, completions, timers, some messages
/// (or a millisecond for the handlers, where nothing more fits and they are quick: at most twenty of those in a row).
/// <code>
///   Polling ──StopAsync──▶ Draining ──nothing runs, or deadline──▶ Closing ──▶ Ended
///      │ fatal error: all partitions lost, client abandoned
///      └──▶ Rebuilding ──backoff──▶ Polling          static identity taken over: ──▶ Ended (faulted)
/// </code>
/// Every callback that is handed to the client catches what it does: an exception out of one would make the client destroy the message in hand.
/// </remarks>
internal sealed class PollLoop
{
    private const int MostAtOnce = 64;
    private const int MostSpares = 16_384;
    private const int MostRepublishing = 1_000;
    private const int FarAhead = 1_000;
    private static readonly TimeSpan IdleAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan TransactionInterval = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestRepublish = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestCommit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestJoin = TimeSpan.FromSeconds(2);

    private readonly ConsumerGroup _group;
    private readonly ITransport _transport;
    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly ConcurrentQueue<Action> _commands;
    private readonly Action<Exception, bool> _faulted;
    private readonly ClientLog _clientLog;
    private readonly SecretHiding _secrets;
    private readonly Thread _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Assignment _assignment;
    private readonly StartPositions _starts;
    private readonly PositionCheck _checks;
    private readonly LostPositions _lost;
    private readonly bool _comparesEpochs;          // not on the embedded broker, which truncates nothing and forgets when epochs ended
    private readonly StartingSubscriptions _starting;
    private readonly OffsetStore _offsets;
    private readonly RetrySchedule _retries;
    private readonly PartitionPairs _pairs;
    private readonly TransactionBatcher? _transactions;     // of an exactly-once group
    private readonly BroadcastPartitions? _broadcast;       // of broadcast subscriptions
    private readonly ProgressWatch _progress;
    private readonly JoinWatch _joins;
    private readonly FetchPace _pace;
    private readonly TimeSpan _revokeTimeout;
    private readonly List<Delivery> _arrived = new(MostAtOnce);     // counted, not yet in their key queues: only while polling

    private IMessageSource _messages = null!;   // the client's
    private Delivery? _spare;                   // finished ones, behind one another, for the next messages
    private int _spares;
    private bool _readsRetries;                 // there was something of them in the latest turn
    private long _nextTick;
    private long _aheadStored;                   // when what is finished far ahead was last stored, as a timestamp
    private long _aheadCommitted;                // when what is finished ahead was last committed where the offset stands still, as a timestamp
    private long _subscribedAt;
    private HashSet<string> _subscribed = [];
    private long? _pairsWantedSince;     // when a subscription came that needs another assignor
    private long? _nothingWantedSince;   // when the last topic went
    private bool _joinSeen;             // an assignment came since the latest Subscribe
    private int _rebuilds;
    private bool _closing;
    private bool _inPairs;              // the client is one for partition pairs

    // Set by any thread, read by the poll thread.
    private long _lastMessage;
    private volatile Error? _fatal;
    private volatile StopRequest? _stop;

    public PollLoop(ConsumerGroup group, ITransport transport, KafkaOptions options, KafkaDiagnostics diagnostics, ConcurrentQueue<Action> commands,
        Action<Exception, bool> faulted)
    {
        _group = group;
        _transport = transport;
        _options = options;
        _diagnostics = diagnostics;
        _commands = commands;
        _faulted = faulted;
        _logger = diagnostics.Logger<PollLoop>();
        _assignment = new Assignment(new FlowControl(options.MaxBufferedMessages, options.MaxBufferedBytes - transport.Clients.PrefetchBytes,
            options.MaxUncommittedMessages), _logger, OnClientError);
        _comparesEpochs = transport.Mode is not KafkaMode.Embedded;
        _checks = new PositionCheck(_assignment, _comparesEpochs, diagnostics.Time, _logger, transport.Topics as KafkaTopics, group.Name);
        _lost = new LostPositions(group, diagnostics.Time, _logger);
        _starting = new StartingSubscriptions(_assignment, group.Name, diagnostics.Time, _logger);
        _starts = new StartPositions(_assignment, group, diagnostics.Time, _logger, _checks, LogStopped, OnClientError);
        Control = new SubscriptionControl(_assignment, _starts, group, _logger);
        _offsets = new OffsetStore(_assignment, _logger, OnClientError, _comparesEpochs, group.Name);
        _revokeTimeout = options.RevokeTimeout ?? TimeSpan.FromTicks(Math.Min(options.ShutdownTimeout.Ticks, options.MaxPollInterval.Ticks / 2));
        _secrets = transport.Clients.Secrets;
        _clientLog = new ClientLog(_logger, _secrets, _diagnostics.Time, _diagnostics.Unreachable);
        _retries = new RetrySchedule(_assignment, new RetryReader(transport, group.Name, _clientLog, diagnostics.Time, OnClientError), group,
            diagnostics.Time, _logger);
        _progress = new ProgressWatch(_assignment, _retries, group, options, diagnostics.Time);
        _joins = new JoinWatch(IsOutside, diagnostics.Time);
        _pace = new FetchPace(transport.Clients.FetchWaitOf(group.Name), diagnostics.Time);
        _pairs = new PartitionPairs(_assignment, group, _offsets, options.MaxUncommittedMessages, diagnostics.Time, _logger);
        _transactions = group.ExactlyOnce is { } settings ? NewTransactions(settings) : null;
        _broadcast = group.IsBroadcast ? new BroadcastPartitions(_assignment, group, transport, Joined, Unassign, diagnostics.Time, _logger) : null;
        _thread = new Thread(Run) { IsBackground = true, Name = $"narad-poll-{group.Name}" };
    }

    /// <summary>Completes when the thread ended. Any thread.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Messages in memory: waiting, running, waiting for a retry. Any thread.</summary>
    public long BufferedMessages => _assignment.BufferedMessages;

    /// <summary>Their bytes. Any thread.</summary>
    public long BufferedBytes => _assignment.BufferedBytes;

    /// <summary>Messages of retry topics that are not due yet. Any thread.</summary>
    public long WaitingRetries => _retries.Waiting;

    /// <summary>When the next of them is due, in milliseconds since 1970; <see cref="long.MaxValue"/> where there is none. Any thread.</summary>
    public long NextRetryDue => _retries.NextDue;

    /// <summary>Why an exactly-once group handles nothing at the moment; null while all is well, and in every other group. Any thread.</summary>
    public string? TransactionTrouble => _transactions?.Trouble;

    /// <summary>The partitions that have something to be done and make no progress. Any thread.</summary>
    public IEnumerable<Stall> Stalls => _closing || Ended.IsCompleted ? [] : _progress.Now;

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
        await Ended.WaitAsync(request.Deadline, _diagnostics.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // Read here, since the poll thread may be late, and before it cancels them.
        List<string> abandoned = [.. HandlersThatRun(request.Deadline)];
        request.IsOver = true;
        _group.Completed.Signal();
        try
        {
            await Ended.WaitAsync(reserve, _diagnostics.Time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            ConsumingLog.CloseAbandoned(_logger, _group.Name, Duration.Text(timeout));
            abandoned.Add($"the client of group '{_group.Name}' did not close within {Duration.Text(timeout)}");
        }

        return abandoned;
    }

    private IEnumerable<string> HandlersThatRun(TimeSpan deadline) =>
        _group.Subscriptions.SelectMany(static subscription => subscription.KeyQueues.RunningByPartition).Select(busy =>
            $"{busy.Running} handler(s) of {busy.Partition} in group '{_group.Name}' did not finish within {Duration.Text(deadline)}: their messages "
                + "stay uncommitted");

    /// <summary>What is asked of subscriptions by name. Poll thread only.</summary>
    public SubscriptionControl Control { get; }

    public void UpdateSubscription()
    {
        if (_broadcast is { } broadcast)
        {
            broadcast.Want(_group.ReadableTopics);
            return;
        }

        if (_group.InPairs && !_inPairs)
        {
            _pairsWantedSince ??= _diagnostics.Time.GetTimestamp();
            return;
        }

        HashSet<string> wanted = [.. _group.ReadableTopics];
        if (wanted.Count == 0)
        {
            _nothingWantedSince ??= _diagnostics.Time.GetTimestamp();
            return;
        }

        _nothingWantedSince = null;
        _subscribed = wanted;
        _assignment.Client.Subscribe(_subscribed);
        _subscribedAt = _diagnostics.Time.GetTimestamp();
        _joinSeen = false;
    }

    // Another assignor, and so another member.
    private void JoinInPairs()
    {
        _transport.Tokens?.Remove(_assignment.Client);
        _assignment.Client.Close();
        Abandon();
        Build();
    }

    public void OnStopped(AssignedPartition partition)
    {
        if (!_assignment.IsCurrent(partition) || partition.Subscription.KeyQueues.FirstFailure(partition) is not { } failure)
        {
            return;
        }

        LogStopped(partition, failure.Offset, failure.Reason);
        _assignment.SetPause(partition);
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
                else if (_stop is null && _joins.IsStuck())
                {
                    ConsumingLog.StuckOutside(_logger, _group.Name, Duration.Text(_joins.Waited));
                    Abandon();
                    BuildAgain();
                }
            }

            Close();
        }
        catch (Exception error)
        {
            // A mistake of ours, or a client that cannot be built: nothing was committed past, and everybody is told.
            ConsumingLog.LoopFailed(_logger, error, _group.Name);
            LoseEverything();
            _transactions?.Close();
            _retries.Close();
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

        if (_pairsWantedSince is { } since && !IsJoining(since))
        {
            JoinInPairs();
        }

        if (_nothingWantedSince is { } leaving && !IsJoining(leaving))
        {
            _nothingWantedSince = null;
            _subscribed = [];
            _assignment.Client.Unsubscribe();
        }

        TakeCompleted();
        _transactions?.Turn();
        _pairs.Turn();
        _checks.Turn();
        _broadcast?.Turn();
        _lost.Turn(_assignment.Client);
        _starting.Turn();
        _assignment.UpdatePauses();

        if (_diagnostics.Time.GetTimestamp() >= _nextTick)
        {
            Tick();
        }

        if (_assignment.Changed)
        {
            Show();
        }

        if (_stop is { } stop && DrainForStop(stop))
        {
            _closing = true;
            return;
        }

        if (_assignment.AwaitsRoom())
        {
            Thread.Sleep(1);
            return;
        }

        Poll();
        ReadRetries();
        _starts.DecideDue();
    }

    // A message ends the wait at once; what is asked of the group by name takes as long as a tick then.
    private bool IsIdle => !_inPairs && _transactions is null && _joinSeen && BufferedMessages == 0 && IsQuiet;

    private bool IsQuiet => _diagnostics.Time.GetElapsedTime(_lastMessage) > IdleAfter;

    // Takes what is there, up to a limit: handing it over together costs much less than one by one.
    private void Poll()
    {
        try
        {
            // Above 0: with a timeout of 0 the client counts the time inside rebalance callbacks against max.poll.interval.ms. What comes right
            // after a message may be counted: a revoke callback takes RevokeTimeout at most, which is shorter.
            var timeout = IsIdle ? WaitingRetries > 0 ? TickInterval : _pace.PollFor(TickInterval)
                : TimeSpan.FromMilliseconds(_readsRetries || _transactions is { IsBusy: true } ? 1 : BufferedMessages > 0 ? 5 : 25);
            for (var n = 0; n < MostAtOnce && !_assignment.IsAtCapacity && _messages.TryTake(timeout, out var message); n++)
            {
                OnMessage(message);
                timeout = TimeSpan.Zero;
                _lastMessage = _diagnostics.Time.GetTimestamp();
            }

            if (_messages.End is { } end)
            {
                OnEnd(end);
            }
        }
        finally
        {
            HandOver();
        }
    }

    private void OnEnd(TopicPartitionOffset end)
    {
        if (!_assignment.TryFind(end.TopicPartition, out var partition) || partition.IsFailureTopic)
        {
            return;
        }

        if (partition.IsUnchecked)
        {
            partition.Dropped ??= end.Offset.Value;
            return;
        }

        partition.Tracker.Reach(end.Offset.Value);
        _pairs.OnEnd(partition);
    }

    private void ReadRetries()
    {
        if (_assignment.IsStopping)
        {
            return;
        }

        try
        {
            _readsRetries = _retries.Turn(OnRetry);
        }
        finally
        {
            HandOver();
        }
    }

    private void OnRetry(AssignedPartition partition, in ReceivedMessage message, in DelayedRetry retry, bool republish)
    {
        if (TakeRetry(partition, message, retry, republish) is { } delivery)
        {
            _arrived.Add(delivery);
        }
    }

    private Delivery? TakeRetry(AssignedPartition partition, in ReceivedMessage message, in DelayedRetry retry, bool republish)
    {
        if (!_retries.Admits(partition, message, retry, republish))
        {
            return null;
        }

        var delivery = Fill(partition, message, retry.Sequence);
        delivery.Forwarding = republish ? Forwarding.Republish : null;
        delivery.BlockedRecord = republish ? partition.BlockedKeys?.RecordAt(retry.Offset) : null;
        _assignment.Buffer(delivery);
        return delivery;
    }

    private void HandOver()
    {
        var arrived = CollectionsMarshal.AsSpan(_arrived);
        if (_transactions is { } transactions)
        {
            transactions.Add(arrived);
            _arrived.Clear();
            return;
        }

        while (!arrived.IsEmpty)
        {
            var subscription = arrived[0].Partition.Subscription;
            var count = 1;
            while (count < arrived.Length && ReferenceEquals(arrived[count].Partition.Subscription, subscription))
            {
                count++;
            }

            subscription.KeyQueues.Enqueue(arrived[..count]);
            arrived = arrived[count..];
        }

        _arrived.Clear();
    }

    private void OnMessage(in ReceivedMessage message)
    {
        if (!_assignment.TryFind(message.Partition, out var partition))
        {
            // The client handed out a message of a partition that it did not assign: not ours, not stored, not lost for its owner.
            ConsumingLog.StrayMessage(_logger, new TopicPartitionId(message.Partition.Topic, message.Partition.Partition.Value), message.Offset, _group.Name);
            return;
        }

        if (partition.IsFailureTopic)
        {
            return;   // fetched before it was paused
        }

        if (partition.IsUnchecked)
        {
            partition.Dropped ??= message.Offset;   // likewise: it is fetched again
            return;
        }

        var incarnation = partition.Tracker.Incarnation;
        var sequence = partition.Tracker.Add(message.Offset, _comparesEpochs ? message.LeaderEpoch : -1);
        if (partition.Tracker.Incarnation != incarnation)
        {
            ConsumingLog.OffsetsWentBack(_logger, partition.Id, message.Offset, _group.Name);
            _retries.Forget(partition);
            partition.Began = null;
            partition.Ahead = null;
            if (partition.Subscription.Settings.Retries is null)
            {
                partition.BlockedKeys?.OnSourceSeek();
            }
        }

        if (partition.Began is null && partition.Subscription.Settings is { KeepsKeyOrder: true, Retries: null })
        {
            _pairs.OnFirst(partition, message.Offset);
        }

        partition.StartAt = null;
        _group.Errors.Received(partition);
        if (partition.SkipsUntil is { } time)
        {
            if (message.Timestamp < time)
            {
                _assignment.Finish(partition, sequence);
                return;
            }

            partition.SkipsUntil = null;
        }

        if (partition.Ahead is { } ahead && WasFinished(partition, ahead, message, sequence))
        {
            return;
        }

        if (partition.Subscription.Settings.Retries is { } source && _retries.TryDefer(partition, source, message, sequence))
        {
            return;
        }

        var delivery = Fill(partition, message, sequence);
        _assignment.Buffer(delivery);
        _arrived.Add(delivery);
    }

    // By the partition's owner before: it counts as finished here, too, and was handled there.
    private bool WasFinished(AssignedPartition partition, FinishedAhead ahead, in ReceivedMessage message, long sequence)
    {
        var epoch = _comparesEpochs ? message.LeaderEpoch : -1;
        var wasFinished = ahead.Contains(message.Offset, epoch);
        if (ahead.IsPassed || !ahead.Covers(epoch))
        {
            partition.Ahead = null;
        }

        if (wasFinished)
        {
            _group.Metrics.SkippedAsHandled(1);
            _assignment.Finish(partition, sequence);
            _assignment.CheckCapacity(partition);   // behind an unfinished message it counts for MaxUncommittedMessages
        }

        return wasFinished;
    }

    private Delivery Fill(AssignedPartition partition, in ReceivedMessage message, long sequence)
    {
        if (_spare is not { } delivery)
        {
            return new Delivery(partition, message, sequence);
        }

        _spare = delivery.Next;
        _spares--;
        delivery.Fill(partition, message, sequence);
        return delivery;
    }

    private int TakeCompleted()
    {
        _progress.Turned();
        var finished = 0;
        for (var delivery = _group.Completed.TakeAll(); delivery is not null;)
        {
            var next = delivery.Next;

            // The object is the epoch. One that is not assigned now changes nothing, even if its partition came back.
            var isCurrent = _assignment.IsCurrent(delivery.Partition);
            if (isCurrent && _transactions is { } transactions)
            {
                transactions.Return(delivery);   // kept until its transaction is committed, which counts it
                delivery = next;
                continue;
            }

            finished += _transactions is null && !delivery.IsPutBack ? 1 : 0;
            if (isCurrent && delivery.IsPutBack)
            {
                _assignment.PutBack(delivery);
            }
            else if (isCurrent)
            {
                _assignment.Finish(delivery);
            }

            Recycle(delivery);
            delivery = next;
        }

        if (finished > 0)
        {
            _group.Metrics.FinishedMessages(finished);
        }

        return finished;
    }

    private void Recycle(Delivery delivery)
    {
        delivery.Empty();
        if (_spares < MostSpares)
        {
            delivery.Next = _spare;
            _spare = delivery;
            _spares++;
        }
    }

    private void Tick()
    {
        var ticks = (long)(TickInterval.TotalSeconds * _diagnostics.Time.TimestampFrequency);
        _nextTick = _diagnostics.Time.GetTimestamp() + ticks;
        _progress.Look();
        _pace.Turn(_assignment.Client, IsQuiet);
        foreach (var partition in _assignment.Partitions)
        {
            partition.Rate = (0.7 * partition.Rate) + (0.3 * partition.FinishedSinceTick / TickInterval.TotalSeconds);
            partition.FinishedSinceTick = 0;
        }

        StoreDue();
        if (_diagnostics.Time.GetElapsedTime(_aheadCommitted) >= _options.CommitInterval)
        {
            _aheadCommitted = _diagnostics.Time.GetTimestamp();
            _offsets.CommitAhead();
        }

        _broadcast?.Tick();
        _retries.Tick();
        if (_inPairs)
        {
            _pairs.Update();
        }

        // With KIP-848 a member without partitions may never be told so: that it has an id is then what says that it joined.
        if (!_joinSeen && _options.GroupProtocol is KafkaGroupProtocol.Consumer && _assignment.Client.MemberId is { Length: > 0 }
            && _diagnostics.Time.GetElapsedTime(_subscribedAt) > TimeSpan.FromSeconds(3))
        {
            Joined();
        }
    }

    private void Joined()
    {
        _joinSeen = true;
        _rebuilds = 0;
        _group.Errors.Joined();
        foreach (var subscription in _group.Subscriptions)
        {
            // What was added since the latest Subscribe has not been joined; a pattern that nothing matched may be by now.
            if (_subscribed.Contains(subscription.Topic)
                && (subscription.State is SubscriptionState.Joining
                    || (subscription.Settings.IsPattern && subscription.State is SubscriptionState.TopicMissing)))
            {
                _starting.Joined(subscription);
            }
        }
    }

    private void LogStopped(AssignedPartition partition, long offset, Exception reason)
    {
        if (reason is OffsetUnavailableException)
        {
            ConsumingLog.Unreadable(_logger, reason, partition.Id, offset, _group.Name);
        }
        else
        {
            ConsumingLog.Stopped(_logger, reason, partition.Id, offset, _group.Name);
        }

        _assignment.Changed = true;
        if (partition.Subscription.Settings.Unhandled is UnhandledPolicy.StopHost)
        {
            _faulted(reason, true);
        }
    }

    private void Show()
    {
        _assignment.Changed = false;
        foreach (var subscription in _group.Subscriptions)
        {
            var mine = _assignment.Partitions.Where(partition => ReferenceEquals(partition.Subscription, subscription) && !partition.IsFailureTopic).ToList();
            subscription.Show(
                mine,
                [.. mine.Select(partition => partition.Id).OrderBy(id => id.Topic, StringComparer.Ordinal).ThenBy(id => id.Partition)],
                [.. mine.Select(StoppedAt).OfType<StoppedPartition>().OrderBy(stopped => stopped.Partition.Topic, StringComparer.Ordinal)
                    .ThenBy(stopped => stopped.Partition.Partition)],
                [.. mine.Where(partition => partition.IsPausedByName).Select(partition => partition.Id).OrderBy(id => id.Topic, StringComparer.Ordinal)
                    .ThenBy(id => id.Partition)]);
            if (subscription.IsEnding && mine.Count == 0)
            {
                _group.Forget(subscription);
            }
        }
    }

    private static StoppedPartition? StoppedAt(AssignedPartition partition) =>
        partition.Unreadable is { } unreadable ? new StoppedPartition(partition.Id, partition.UnreadableAt, unreadable)
        : partition.Subscription.KeyQueues.FirstFailure(partition) is { } failure ? new StoppedPartition(partition.Id, failure.Offset, failure.Reason)
        : null;

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

            if (_assignment.TryFind(partition, out var older))
            {
                _assignment.Remove(older);
                older.Cancel(_logger);
            }

            var assigned = _assignment.Add(partition, subscription);
            _checks.Begin(assigned);
            if (_stop is not null || subscription.IsEnding)
            {
                subscription.KeyQueues.Drain(assigned);
            }

            if (subscription.Settings.IsPattern && !assigned.IsFailureTopic)
            {
                _transport.Backpressure?.GroupReads(_group.Name, partition.Topic);
                subscription.Found?.Invoke(partition.Topic);
            }
        }

        _pairs.OnAssigned(partitions);
        _progress.Joined();
        if (partitions.Count > 0)   // the group may have changed elsewhere
        {
            ConsumingLog.Assigned(_logger, partitions.Count, _assignment.Partitions.Count, _group.Name);
        }

        _assignment.Changed = true;
        Joined();
    });

    // Blocks the poll thread on purpose: the client gives the partitions up as soon as this returns.
    private void OnRevoked(List<TopicPartitionOffset> partitions) => Rebalance(() =>
    {
        var revoked = Find(partitions);
        ConsumingLog.Revoked(_logger, revoked.Count, _assignment.Partitions.Count, _group.Name);
        foreach (var partition in revoked)
        {
            partition.Subscription.KeyQueues.Drain(partition);
        }

        // A transaction that has something of them ends first, with what it began: committed where that can be.
        bool IsUnderWay() => _transactions is { } transactions ? transactions.IsBusyWith(revoked)
            : revoked.Exists(partition => partition.Subscription.KeyQueues.RunningIn(partition) > 0);
        if (IsUnderWay())
        {
            _transactions?.StopAdding();
        }

        var started = _diagnostics.Time.GetTimestamp();
        while (!_closing && IsUnderWay())
        {
            var left = _revokeTimeout - _diagnostics.Time.GetElapsedTime(started);
            if (left <= TimeSpan.Zero || _stop is { IsOver: true })
            {
                break;
            }

            var longest = _transactions is null ? TickInterval : TransactionInterval;
            _group.Completed.Wait(left < longest ? left : longest);
            TakeCompleted();
            _transactions?.Turn(mayBegin: false);
        }

        TakeCompleted();
        if (!_closing && _transactions is null)
        {
            var left = _revokeTimeout - _diagnostics.Time.GetElapsedTime(started);
            RepublishWaiting(revoked, left < LongestRepublish ? left : LongestRepublish);
        }

        foreach (var partition in revoked)
        {
            var running = partition.Subscription.KeyQueues.RunningIn(partition);
            if (running > 0)
            {
                ConsumingLog.RevokeDeadline(_logger, partition.Id, running, Duration.Text(_revokeTimeout), _group.Name);
                partition.Cancel(_logger);
            }
        }

        Store(revoked);
        _offsets.CommitLastAhead(revoked, _stop is { IsOver: true } ? TimeSpan.FromSeconds(1) : LongestCommit);
        revoked.ForEach(_assignment.Remove);
    });

    // What waits in front of finished retries keeps their offsets from being committed, so that they would be handled again by whoever comes next: it goes
    // to the end of its topic first, as it is. Blocks the poll thread, but not for long.
    private void RepublishWaiting(IReadOnlyCollection<AssignedPartition> leaving, TimeSpan limit)
    {
        var failed = new StrongBox<int>();
        var underWay = 0;
        if (limit <= TimeSpan.Zero)
        {
            return;
        }

        var moving = _retries.StartRepublishing(leaving, delivery =>
        {
            underWay++;
            RepublishAsync(delivery, failed).Forget();
        });
        var started = _diagnostics.Time.GetTimestamp();
        while (moving.Sum(static partition => partition.Delayed.Republishing) > Volatile.Read(ref failed.Value)
            && _diagnostics.Time.GetElapsedTime(started) < limit)
        {
            _retries.Turn((AssignedPartition partition, in ReceivedMessage message, in DelayedRetry retry, bool republish) =>
            {
                if (!republish)
                {
                    OnRetry(partition, message, retry, republish);   // of a partition that stays: it is read only once
                    return;
                }

                if (TakeRetry(partition, message, retry, republish) is { } delivery)
                {
                    underWay++;
                    RepublishAsync(delivery, failed).Forget();
                }
            },
            partition => underWay < MostRepublishing && moving.Contains(partition));
            HandOver();
            _group.Completed.Wait(TimeSpan.FromMilliseconds(5));
            underWay = Math.Max(0, underWay - TakeCompleted());
        }

        var left = limit - _diagnostics.Time.GetElapsedTime(started);
        if (!_inPairs)
        {
            return;
        }

        var writing = _retries.WriteKeyCheckpointsAsync(leaving);
        if (!writing.Wait(left > TimeSpan.Zero ? left : TimeSpan.Zero))
        {
            ConsumingLog.KeyCheckpointsNotWritten(_logger, null, _group.Name);
        }
        else if (writing.Result)
        {
            // What was handled after a retry may be left out only where the retry is not handled again either.
            foreach (var partition in leaving)
            {
                partition.RecordsAhead = partition.TakesAhead;
            }
        }
    }

    private async Task RepublishAsync(Delivery delivery, StrongBox<int> failed)
    {
        var settings = delivery.Partition.Subscription.Settings;
        try
        {
            await settings.FailureTopics!.RepublishAsync(delivery, settings.Retries!.Source).ConfigureAwait(false);
            _group.Metrics.Republished();
            _group.Completed.Push(delivery);
        }
        catch (Exception error)
        {
            // It stays where it is, and what is behind it may be handled again.
            ConsumingLog.RepublishFailed(_logger, error, delivery.Partition.Id, delivery.Offset, _group.Name);
            Interlocked.Increment(ref failed.Value);
        }
    }

    private void OnLost(List<TopicPartitionOffset> partitions) => Rebalance(() =>
    {
        var lost = Find(partitions);
        ConsumingLog.Lost(_logger, lost.Count, _group.Name);
        _progress.Lost();
        foreach (var partition in lost)
        {
            if (_comparesEpochs)
            {
                _lost.Add(partition);
            }

            // Dropped first, so that what is cancelled is not started again.
            _assignment.Remove(partition);
            partition.Cancel(_logger);
        }
    });

    private List<AssignedPartition> Find(List<TopicPartitionOffset> partitions)
    {
        var found = new List<AssignedPartition>(partitions.Count);
        foreach (var partition in partitions)
        {
            if (_assignment.TryFind(partition.TopicPartition, out var assigned))
            {
                found.Add(assigned);
            }
        }

        return found;
    }

    // Of a broadcast subscription: they are assigned by hand, and taken away by hand.
    private void Unassign(List<TopicPartitionOffset> partitions)
    {
        OnRevoked(partitions);
        _assignment.Client.IncrementalUnassign(partitions.ConvertAll(static partition => partition.TopicPartition));
        _assignment.Client.AwaitStops();
    }

    private void LoseEverything()
    {
        if (_broadcast is not null)
        {
            TakeCompleted();   // the next client continues behind it
        }

        foreach (var partition in _assignment.Partitions.ToList())
        {
            _broadcast?.Remember(partition);
            _assignment.Remove(partition);
            partition.Cancel(_logger);
        }

        Show();
    }

    private void Rebalance(Action action)
    {
        Guard(HandOver);
        _assignment.IsRebalancing = true;
        Guard(action);
        _assignment.IsRebalancing = false;
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
        if (error.Error.Code is ErrorCode.Local_AutoOffsetReset && error.ConsumerRecord is { } record
            && _assignment.TryFind(record.TopicPartition, out var partition))
        {
            _starts.Missing(partition, record.Offset.Value, error.Error.Reason);
            return;
        }

        OnClientError(error.Error, error.ConsumerRecord?.TopicPartition);
    }

    // What a broker refuses is said with its cause, and seen in health.
    private void OnConnectionError(Error error, ConnectionFacts facts)
    {
        if (error.IsFatal || !_diagnostics.Refused.Report($"Group '{_group.Name}'", error, facts))
        {
            OnClientError(error);
        }
    }

    private void OnClientError(Error error) => OnClientError(error, partition: null);

    private void OnClientError(Error error, TopicPartition? partition)
    {
        if (error.IsFatal)
        {
            _fatal ??= error;
            return;
        }

        if (_broadcast is not null && error.Code is ErrorCode.GroupAuthorizationFailed)
        {
            return;   // the client looks for its group's coordinator, and nobody needs it
        }

        if (partition is null || !_assignment.TryFind(partition, out _))
        {
            partition = null;
            _group.Refuse(error);
        }

        _group.Errors.Report(error, partition);
        if (GroupRefusals.Concern(error.Code) && _assignment.Partitions.Count == 0)
        {
            _group.MoveToJoining();
        }
    }

    // A fatal error raises no callback. Nothing is stored any more; the handlers are cancelled; a new client joins as a new member.
    private void Recover(Error fatal)
    {
        ConsumingLog.FatalError(_logger, fatal.Code, fatal.Reason, _group.Name);
        Abandon();
        _group.Refuse(fatal);
        _group.Errors.Fatal(fatal);
        _fatal = null;
        if (fatal.Code is ErrorCode.FencedInstanceId)
        {
            Fault(new KafkaConnectionException($"Another member took over the static identity '{_options.GroupInstanceId}' of group '{_group.Name}': "
                + $"{fatal.Reason} Give each process its own GroupInstanceId."));
            _closing = true;
            _assignment.Client = null!;
            return;
        }

        BuildAgain();
    }

    private void Abandon()
    {
        LoseEverything();
        DisposeLater(_assignment.Client);
    }

    private void BuildAgain()
    {
        _group.MoveToJoining();
        do
        {
            var backoff = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, _rebuilds), LongestBackoff.TotalSeconds));
            _rebuilds = Math.Min(_rebuilds + 1, 10);
            var started = _diagnostics.Time.GetTimestamp();
            while (_stop is null && _diagnostics.Time.GetElapsedTime(started) < backoff)
            {
                _group.Completed.Wait(TickInterval);
                TakeCompleted();
            }
        }
        while (!TryBuild());
    }

    // A new client that is refused at once is not the end either.
    private bool TryBuild()
    {
        try
        {
            Build();
            return true;
        }
        catch (KafkaException error) when (_stop is null)
        {
            _group.Errors.Report(error.Error);
            DisposeLater(_assignment.Client);
            return false;
        }
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
        _pairsWantedSince = _nothingWantedSince = null;   // also where a fatal error built the client again meanwhile
        _inPairs = _group.InPairs;
        _starting.Clear();
        _starts.IsIncremental = _broadcast is not null || _options.GroupProtocol is KafkaGroupProtocol.Consumer
            || (!_inPairs && _options.Assignor is KafkaAssignor.CooperativeSticky);
        var config = _broadcast is null ? _transport.Clients.Consumer(_group.Name, _inPairs) : _transport.Clients.Broadcast(_group.Name);
        if (_transactions is not null)
        {
            // Offsets are committed with transactions only, and what was aborted, or is not decided yet, is not read.
            config.EnableAutoCommit = false;
            config.IsolationLevel = IsolationLevel.ReadCommitted;
        }

        var facts = new ConnectionFacts(config, _transport.Tokens);
        _assignment.Client = new ConsumerBuilder<byte[]?, byte[]?>(config)
            .SetKeyDeserializer(Deserializers.ByteArray!)
            .SetValueDeserializer(Deserializers.ByteArray!)
            .SetPartitionsAssignedHandler((_, partitions) => OnAssigned(partitions))
            .SetPartitionsRevokedHandler((_, partitions) => OnRevoked(partitions))
            .SetPartitionsLostHandler((_, partitions) => OnLost(partitions))
            .SetErrorHandler((_, error) => Guard(() => OnConnectionError(_secrets.Hide(error), facts)))
            .SetOffsetsCommittedHandler((_, committed) => Guard(() => OnCommitted(committed)))
            .SetLogHandler((_, message) => _clientLog.Write(message))
            .Build();
        _transport.Tokens?.Add(_assignment.Client);
        _messages = NativeMessages.TryOpen(_assignment.Client) ?? (IMessageSource)new ClientMessages(_assignment.Client);
        DirectAccess.Log(_diagnostics, _assignment.Client.Name, DirectAccess.MissingForConsuming);
        UpdateSubscription();
    }

    private void OnCommitted(Confluent.Kafka.CommittedOffsets committed)
    {
        // Of one whose partitions have errors of their own the client says no error.
        var error = committed.Error.IsError ? committed.Error : committed.Offsets.FirstOrDefault(static offset => offset.Error.IsError)?.Error
            ?? committed.Error;
        if (!_offsets.Refuses(error.Code))
        {
            _group.Errors.Committed(error);
        }

        if (_inPairs && !committed.Error.IsError)
        {
            _pairs.OnCommitted(committed.Offsets);
        }
    }

    // Keeps polling, so that the group does not evict us, until nothing runs or the deadline came.
    private bool DrainForStop(StopRequest stop)
    {
        if (!stop.Begun)
        {
            stop.Begun = true;
            _assignment.IsStopping = true;
            _transactions?.StopBeginning();
            foreach (var partition in _assignment.Partitions)
            {
                partition.Subscription.KeyQueues.Drain(partition);
                _assignment.SetPause(partition);
            }
        }

        var running = _assignment.Partitions.Sum(partition => partition.Subscription.KeyQueues.RunningIn(partition));
        var isTimeLeft = !stop.IsOver;
        if (running == 0 && _group.Completed.IsEmpty)
        {
            if (_transactions is { } transactions)
            {
                return !isTimeLeft || (!transactions.IsBusy && !IsJoining(stop.Since));
            }

            if (!stop.HasRepublished)
            {
                stop.HasRepublished = true;
                var left = (stop.Deadline - _diagnostics.Time.GetElapsedTime(stop.Since)) / 2;
                RepublishWaiting(_assignment.Partitions, left < LongestRepublish ? left : LongestRepublish);
            }

            return !isTimeLeft || (!IsJoining(stop.Since) && (_broadcast is not null || TryCommitLast()));
        }

        if (isTimeLeft)
        {
            return false;
        }

        foreach (var partition in _assignment.Partitions)
        {
            if (partition.Subscription.KeyQueues.RunningIn(partition) > 0)
            {
                partition.Cancel(_logger);
            }
        }

        return true;
    }

    // A client that is closed, or unsubscribed, while it joins does not leave: see GroupMembership. So it is polled until it has joined, unless no broker
    // answers it.
    private bool IsJoining(long closingSince) =>
        !_joinSeen && _subscribed.Count > 0 && _options.GroupProtocol is KafkaGroupProtocol.Consumer
        && _diagnostics.Time.GetElapsedTime(closingSince) < LongestJoin && GroupMembership.HasJoined(_assignment.Client.Handle) is false;

    // The client of a classic group keeps the number of its generation when the group takes it out. One that is refused says so again and again, and a new
    // client would meet the same.
    private bool? IsOutside() => _transport.ConnectionFault is not null || _group.Errors.IsRefused
        ? null
        : _subscribed.Count > 0 && (_progress.IsOutside || GroupMembership.HasJoined(_assignment.Client.Handle) is false);

    // While its group rebalances a member's commit is refused. Polling continues then, so that it learns of the new generation, and it is tried again; leaving
    // would give the partitions away with what was committed before.
    private bool TryCommitLast()
    {
        StoreAll();
        if (IsPassing(_offsets.CommitLastAhead(_assignment.Partitions, LongestCommit)))
        {
            return false;
        }

        try
        {
            _assignment.Client.Commit();
            return true;
        }
        catch (KafkaException error)
        {
            return !IsPassing(error is TopicPartitionOffsetException some ? some.Results.First(result => result.Error.IsError).Error.Code : error.Error.Code);
        }
    }

    private static bool IsPassing(ErrorCode code) => code is ErrorCode.RebalanceInProgress or ErrorCode.IllegalGeneration or ErrorCode.StaleMemberEpoch
        or ErrorCode.GroupLoadInProgress or ErrorCode.NotCoordinatorForGroup;

    private void StoreAll() => Store(_assignment.Partitions);

    // All, but where there is much to encode only twice in each commit interval.
    private void StoreDue()
    {
        if (_diagnostics.Time.GetElapsedTime(_aheadStored) >= _options.CommitInterval / 2)
        {
            _aheadStored = _diagnostics.Time.GetTimestamp();
            StoreAll();
        }
        else
        {
            Store(_assignment.Partitions.Where(static partition => partition.Tracker is not { FinishedAhead: > 0, Span: > FarAhead }));
        }
    }

    // Retry topics first: what was handled from a source after a retry must not be committed before that.
    private void Store(IEnumerable<AssignedPartition> partitions)
    {
        foreach (var partition in _inPairs ? partitions.OrderBy(static partition => partition.Subscription.Settings.Retries is null) : partitions)
        {
            _offsets.Store(partition);
        }
    }

    private void Close()
    {
        if (_assignment.Client is null)
        {
            _transactions?.Close();
            _retries.Close();
            return;
        }

        TakeCompleted();
        StoreAll();
        _transactions?.Close();   // before the partitions are revoked: others wait for what is open

        _transport.Tokens?.Remove(_assignment.Client);
        try
        {
            _assignment.Client.Close();   // commits what is stored, calls the revoked handler, leaves the group
        }
        catch (KafkaException error)
        {
            ConsumingLog.CloseFailed(_logger, error, _group.Name);
        }

        LoseEverything();
        _retries.Close();
        if (Asking.IsCompleted)
        {
            _assignment.Client.Dispose();
        }
        else
        {
            DisposeLater(_assignment.Client);
        }
    }

    private TransactionBatcher NewTransactions(ExactlyOnceSettings settings)
    {
        var logger = _diagnostics.Logger<TransactionBatcher>();
        return new TransactionBatcher(
            _group,
            _assignment,
            settings,
            TransactionalId.Take(settings, _group.Name, logger),
            id => new TransactionClient(_transport.Clients, settings, id, _group.Name, logger, _diagnostics, _transport.Tokens),
            new TransactionOutputs(_options, _options.CreatesTopics(_transport.Mode) ? _transport.Topics : null, _diagnostics.Time),
            Recycle,
            Control.Rewind,
            Fault,
            _diagnostics.Time,
            logger);
    }

    // Completes when no client is asked anything in the background.
    private Task Asking => Task.WhenAll(_checks.Asking, _lost.Asking, _pairs.Asking, _broadcast?.Asking ?? Task.CompletedTask);

    // Disposing may block for a minute where a broker hangs.
    private void DisposeLater(IConsumer<byte[]?, byte[]?> consumer)
    {
        _transport.Tokens?.Remove(consumer);
        var asking = Asking;
        Task.Run(async () =>
        {
            await asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                consumer.Dispose();
            }
            catch (KafkaException error)
            {
                ConsumingLog.CloseFailed(_logger, error, _group.Name);
            }
        }).Forget();
    }
}
