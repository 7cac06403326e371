using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Producing;

namespace Narad.Kafka.Transactions;

/// <summary>
/// Makes transactions of what a group's client brings: collects, hands the messages of one transaction to their key queues, and when they are back commits
/// outputs and offsets together, or aborts and begins again. It never waits for a broker or a handler, and never runs user code.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only, but for <see cref="Trouble"/>.
/// <code>
///   Starting ──producer──▶ Rewinding ──positions──▶ Collecting ──enough, or waited──▶ Handling ──all back──▶ Ending ──▶ Collecting
///      ▲                                                │                              │                     │
///      └───────────────── producer fenced or dead ◀─────┴──────────────────────────────┴─────────────────────┘        Close: ──▶ Closed
/// </code>
/// Messages stay in their partition's <see cref="PartitionBacklog"/> (and count in the limits) until the transaction that has them is committed, so an
/// aborted one begins again from memory. What a broken producer leaves unknown is read from the broker: positions go back to the committed offsets. Whose
/// a partition is, is asked when its transaction ends, in the same breath as the member's generation: a broker checks the generation only.
/// </remarks>
internal sealed class TransactionBatcher
{
    private static readonly TimeSpan OffsetsOnlyInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SteadyFor = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RewindTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);
    private static readonly Backoff RestartBackoff = Backoff.Exponential(TimeSpan.FromSeconds(1), max: TimeSpan.FromSeconds(30));
    private static readonly Backoff RefusedBackoff = Backoff.Exponential(TimeSpan.FromMilliseconds(50), max: TimeSpan.FromSeconds(5));

    private readonly ConsumerGroup _group;
    private readonly Assignment _assignment;
    private readonly ExactlyOnceSettings _settings;
    private readonly TransactionalId _id;
    private readonly Func<string, ITransactionClient> _build;
    private readonly TransactionOutputs _outputs;
    private readonly Action<Delivery> _recycle;
    private readonly Action<AssignedPartition, long?> _rewind;
    private readonly Action<Exception> _faulted;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TransactionPlan _plan = new();
    private readonly TransactionResolution _resolution;
    private readonly CancellationTokenSource _giveUp = new();

    private BatcherState _state = BatcherState.Starting;
    private ITransactionClient? _client;
    private Task<Error?>? _starting;
    private Task<TransactionEnd>? _ending;
    private GroupTransaction? _transaction;
    private List<TransactionOffer> _offered = [];    // what the ending one commits
    private bool _stopping;
    private bool _isFirstStart = true;
    private int _limit;
    private int _restarts;
    private int _refusals;
    private long _startAt;          // when a producer is built again
    private long _beginAt;          // when the next transaction may begin, after one that was refused
    private long? _collectingSince; // since there is something to begin with
    private bool _isLate;           // there is something that waited before
    private long _nextOffsetsOnly;
    private long _steadySince;
    private volatile string? _trouble;

    public TransactionBatcher(
        ConsumerGroup group,
        Assignment assignment,
        ExactlyOnceSettings settings,
        TransactionalId id,
        Func<string, ITransactionClient> build,
        TransactionOutputs outputs,
        Action<Delivery> recycle,
        Action<AssignedPartition, long?> rewind,
        Action<Exception> faulted,
        TimeProvider time,
        ILogger logger)
    {
        _group = group;
        _assignment = assignment;
        _settings = settings;
        _id = id;
        _build = build;
        _outputs = outputs;
        _recycle = recycle;
        _rewind = rewind;
        _faulted = faulted;
        _time = time;
        _logger = logger;
        _limit = settings.MaxMessages;
        _resolution = new TransactionResolution(assignment.IsCurrent, After, (entry, refused) =>
            TransactionsLog.Suspected(_logger, refused, entry.Partition.Id, entry.Offset, _group.Name));
    }

    /// <summary>Why nothing is handled at the moment; null while all is well. Any thread.</summary>
    public string? Trouble => _trouble;

    /// <summary>Whether something of a transaction is awaited: the poll thread looks more often then.</summary>
    public bool IsBusy => _state is BatcherState.Handling or BatcherState.Ending;

    /// <summary>Whether a transaction that has messages of one of these partitions is under way.</summary>
    public bool IsBusyWith(List<AssignedPartition> partitions) => IsBusy && _transaction is { } transaction
        && partitions.Exists(transaction.Outstanding.ContainsKey);

    /// <summary>Messages that arrived. They are held until their transaction is committed.</summary>
    public void Add(ReadOnlySpan<Delivery> arrived)
    {
        foreach (var delivery in arrived)
        {
            delivery.TransactionState = new TransactionState();
            delivery.Partition.Backlog.Add(delivery);
        }
    }

    /// <summary>A message of a current partition came back from its key queue.</summary>
    public void Return(Delivery delivery)
    {
        delivery.Next = null;   // it will be in a key queue again
        var state = delivery.TransactionState!;
        if (state.Entry is not { } entry)
        {
            // It was where its partition stopped: let continue, or skipped by name.
            delivery.Partition.Backlog.InKeyQueues--;
            if (!state.ReturnedWithoutTransaction)
            {
                state.Decided = FailureAction.Skip;
            }

            state.ReturnedWithoutTransaction = false;
            return;
        }

        entry.IsBack = true;
        if (ReferenceEquals(entry.Transaction, _transaction))
        {
            _transaction.Outstanding[delivery.Partition]--;
            return;
        }

        delivery.Partition.Backlog.InKeyQueues--;
        _resolution.PlanNext(entry);
    }

    /// <summary>Continues with what is due. Within a rebalance nothing begins.</summary>
    public void Turn(bool mayBegin = true)
    {
        switch (_state)
        {
            case BatcherState.Starting:
                Start();
                break;
            case BatcherState.Rewinding:
                Rewind();
                break;
            case BatcherState.Handling:
                LookAtHandlers();
                break;
            case BatcherState.Ending when _ending!.IsCompleted:
                TakeEnd(_ending.GetAwaiter().GetResult());
                break;
        }

        if (_state is BatcherState.Collecting && mayBegin && !_stopping)
        {
            if (_client!.Fatal is { } fatal)
            {
                Restart(fatal);
                return;
            }

            Stop();
            Begin();
        }

        if (_steadySince != 0 && _restarts > 0 && _time.GetElapsedTime(_steadySince) > SteadyFor)
        {
            _restarts = 0;
        }
    }

    /// <summary>Nothing more of the current transaction begins; what runs finishes, and then it ends.</summary>
    public void StopAdding() => _transaction?.StopAdding();

    /// <summary>Ends the current transaction as soon as may be, and begins no other.</summary>
    public void StopBeginning()
    {
        _stopping = true;
        StopAdding();
    }

    /// <summary>The shutdown's last step, bounded: aborts what did not end, and lets go of producer and id.</summary>
    public void Close()
    {
        if (_state is BatcherState.Closed)
        {
            return;
        }

        var ending = _state is BatcherState.Handling ? AbortAsync() : _ending;
        _giveUp.CancelAsync().Forget();
        if (ending is not null && !ending.Wait(CloseTimeout))
        {
            TransactionsLog.NotEnded(_logger, _group.Name);
        }

        LetGo();
    }

    private void LetGo()
    {
        _state = BatcherState.Closed;
        _client?.Dispose();
        _id.Dispose();
    }

    private Task<TransactionEnd> AbortAsync()
    {
        _transaction!.Cancel();
        _transaction.End();
        return _client!.AbortAsync(_giveUp.Token);
    }

    // ── the producer ──────────────────────────────────────────────────────────────────────────────────────────────────
    private void Start()
    {
        if (_starting is null)
        {
            if (_stopping || _time.GetTimestamp() < _startAt)
            {
                return;
            }

            _client = _build(_id.Name);
            var said = false;
            _starting = _client.StartAsync(
                error =>
                {
                    if (!said)
                    {
                        said = true;
                        TransactionsLog.StartWaits(_logger, error.Code, error.Reason, _group.Name);
                    }
                },
                _giveUp.Token);
            return;
        }

        if (!_starting.IsCompleted)
        {
            return;
        }

        var error = _starting.GetAwaiter().GetResult();
        _starting = null;
        if (error is null)
        {
            if (_isFirstStart)
            {
                TransactionsLog.Started(_logger, _group.Name, _id.Name);
            }

            // What another process of this id left open is ended by now; what was read before is not behind that.
            _state = _isFirstStart ? BatcherState.Collecting : BatcherState.Rewinding;
            _isFirstStart = false;
            return;
        }

        if (SendFailure.IsAuthorization(error.Code) || error.Code is ErrorCode.InvalidTransactionTimeout or ErrorCode.Local_UnsupportedFeature)
        {
            TransactionsLog.NotAllowed(_logger, error.Code, error.Reason, _group.Name, _id.Name);
            _trouble = $"group '{_group.Name}' may not use transactions: {ForeignText.Reason(error.Reason)}";
            LetGo();
            _faulted(new KafkaConnectionException($"Group '{_group.Name}' may not use transactions of '{_id.Name}': {error.Reason} ({error.Code}). "
                + "Give the user of its ClientId the rights to DESCRIBE and WRITE that transactional.id, or choose a TransactionTimeout that the "
                + "brokers allow."));
            return;
        }

        Restart(error);
    }

    // Fenced, or dead: nothing of the current transaction counts as far as we know, and nobody's handlers continue.
    private void Restart(Error error)
    {
        var delay = RestartBackoff.Before(++_restarts);
        _trouble = $"the transactional producer of group '{_group.Name}' is built again: {ForeignText.Reason(error.Reason)}";
        if (error.Code is ErrorCode.ProducerFenced or ErrorCode.Local_Fenced or ErrorCode.InvalidProducerEpoch)
        {
            TransactionsLog.Fenced(_logger, _id.Name, _group.Name, error.Code, error.Reason, Duration.Text(delay));
        }
        else
        {
            TransactionsLog.ProducerFailed(_logger, error.Code, error.Reason, _group.Name, Duration.Text(delay));
        }

        if (_transaction is { } transaction)
        {
            transaction.Cancel();
            transaction.End();
            ReturnToBacklog(transaction);
            _group.Metrics.TransactionAborted();
        }

        _isFirstStart = false;
        _client?.Dispose();
        _client = null;
        _ending = null;
        _transaction = null;
        _steadySince = 0;
        _startAt = After(delay);
        _state = BatcherState.Starting;
    }

    // What of the dead producer's last transaction counts, only the committed offsets tell: the new producer's start has ended it for certain.
    private void Rewind()
    {
        if (_assignment.IsRebalancing || _time.GetTimestamp() < _beginAt)
        {
            return;
        }

        var partitions = _assignment.Partitions.Where(static partition => partition.Unreadable is null && partition.Missing is null).ToList();
        try
        {
            if (partitions.Count > 0)
            {
                var committed = _assignment.Client.Committed(partitions.ConvertAll(static partition => partition.Partition), RewindTimeout);
                foreach (var position in committed)
                {
                    if (_assignment.TryFind(position.TopicPartition, out var partition))
                    {
                        _rewind(partition, position.Offset.IsSpecial ? null : position.Offset.Value);
                    }
                }
            }
        }
        catch (KafkaException error)
        {
            _beginAt = After(RefusedBackoff.Before(Math.Min(++_refusals, 10)));
            TransactionsLog.NotRewound(_logger, error, _group.Name);
            return;
        }

        _refusals = 0;
        _trouble = null;
        _steadySince = _time.GetTimestamp();
        _collectingSince = null;
        TransactionsLog.GoesOn(_logger, _group.Name, partitions.Count);
        _state = BatcherState.Collecting;
    }

    // ── beginning ─────────────────────────────────────────────────────────────────────────────────────────────────────
    // What is to stop, stops when everything before it is committed.
    private void Stop()
    {
        foreach (var partition in _assignment.Partitions)
        {
            if (partition.State is PartitionState.Active && TransactionPlan.StopOf(partition) is { } first)
            {
                partition.Backlog.InKeyQueues++;
                partition.Subscription.KeyQueues.Enqueue([first]);
            }
        }
    }

    private void Begin()
    {
        var now = _time.GetTimestamp();
        if (now < _beginAt)
        {
            return;
        }

        var waiting = 0;
        foreach (var partition in _assignment.Partitions)
        {
            waiting += partition.Backlog.Count;
        }

        if (waiting == 0)
        {
            _collectingSince = null;
            BeginForOffsets(now);
            return;
        }

        _collectingSince ??= now;
        if (!_isLate && waiting < _limit && _time.GetElapsedTime(_collectingSince.Value, now) < _settings.MaxWait)
        {
            return;
        }

        var chosen = _plan.Take([.. _assignment.Partitions], _limit, now);
        if (chosen.Count == 0)
        {
            BeginForOffsets(now);
            return;
        }

        _collectingSince = null;
        var transaction = new GroupTransaction(_client!, _outputs, _time, _settings.TimeLimit, _logger) { HasOneMessage = chosen.Count == 1 };
        foreach (var delivery in chosen)
        {
            var entry = new TransactionEntry(transaction, delivery);
            delivery.TransactionState!.Entry = entry;
            transaction.Entries.Add(entry);
            if (!transaction.Outstanding.TryGetValue(delivery.Partition, out var count))
            {
                transaction.Watch(delivery.Partition);
            }

            transaction.Outstanding[delivery.Partition] = count + 1;
        }

        _transaction = transaction;
        _state = BatcherState.Handling;
        for (var first = 0; first < chosen.Count;)
        {
            var last = first + 1;
            while (last < chosen.Count && ReferenceEquals(chosen[last].Partition.Subscription, chosen[first].Partition.Subscription))
            {
                last++;
            }

            chosen[first].Partition.Subscription.KeyQueues.Enqueue([.. chosen[first..last]]);
            first = last;
        }
    }

    // A position that was decided without a message (sought, or a start), and what was finished without having been held.
    private void BeginForOffsets(long now)
    {
        if (now < _nextOffsetsOnly)
        {
            return;
        }

        _nextOffsetsOnly = After(OffsetsOnlyInterval);
        if (_assignment.Partitions.Any(static partition => partition.Tracker.Committable is { } offset && offset != partition.Stored))
        {
            _transaction = new GroupTransaction(_client!, _outputs, _time, _settings.TimeLimit, _logger);
            _state = BatcherState.Handling;
        }
    }

    // ── handling ──────────────────────────────────────────────────────────────────────────────────────────────────────
    private void LookAtHandlers()
    {
        var transaction = _transaction!;
        if (_client!.Fatal is { } fatal)
        {
            Restart(fatal);
            return;
        }

        foreach (var partition in transaction.Outstanding.Keys)
        {
            if (partition.IsPausedByName)
            {
                transaction.StopAdding();   // paused by name: what did not begin goes back
                break;
            }
        }

        if (IsQuiet(transaction))
        {
            End(transaction);
        }
        else if (!transaction.IsExpired && transaction.Age >= transaction.Limit)
        {
            Expire(transaction);
        }
    }

    // Whether everything that began is back, and nothing more will begin.
    private bool IsQuiet(GroupTransaction transaction)
    {
        foreach (var (partition, left) in transaction.Outstanding)
        {
            // Of a partition that is not ours any more nothing comes back, and nothing counts.
            if (left > 0 && _assignment.IsCurrent(partition)
                && (partition.Subscription.KeyQueues.StateOf(partition) is not PartitionState.Draining
                    || partition.Subscription.KeyQueues.RunningIn(partition) > 0
                    || !_group.Completed.IsEmpty))
            {
                return false;
            }
        }

        return true;
    }

    // The handlers that are still at work are left to themselves: nothing that they send counts, and their messages wait for them.
    private void Expire(GroupTransaction transaction)
    {
        transaction.Expire();
        var finished = transaction.Entries.Count(static entry => entry.State is TransactionEntryState.Succeeded);
        var blamed = transaction.Entries.Count(entry => !entry.IsBack && entry.State is TransactionEntryState.Running && entry.UsedHalfOfLimit);
        if (blamed == 0)
        {
            _limit = Math.Max(1, finished / 2);
        }

        TransactionsLog.TookTooLong(_logger, _group.Name, Duration.Text(transaction.Limit), blamed, _limit);
        End(transaction);
    }

    // ── ending ────────────────────────────────────────────────────────────────────────────────────────────────────────
    private void End(GroupTransaction transaction)
    {
        transaction.End();
        _offered = [];
        _state = BatcherState.Ending;
        if (transaction.IsFailed || _resolution.OffsetsToCommit(transaction) is not { } offers)
        {
            _ending = _client!.AbortAsync(_giveUp.Token);
            return;
        }

        foreach (var partition in _assignment.Partitions)
        {
            if (!transaction.Outstanding.ContainsKey(partition) && partition.Tracker.Committable is { } committable && committable != partition.Stored)
            {
                offers.Add(new TransactionOffer(partition, committable, 0));
            }
        }

        IConsumerGroupMetadata member;
        try
        {
            // Now, on the thread that rebalances are called back on: whose the partitions are and the generation in which they are go together.
            member = _assignment.Client.ConsumerGroupMetadata;
        }
        catch (KafkaException error)
        {
            TransactionsLog.ClientError(_logger, error.Error.Code, error.Error.Reason, _group.Name);
            _ending = _client!.AbortAsync(_giveUp.Token);
            return;
        }

        _offered = offers;
        _ending = CommitAsync(transaction, member);
    }

    private async Task<TransactionEnd> CommitAsync(GroupTransaction transaction, IConsumerGroupMetadata member)
    {
        var offsets = _offered.ConvertAll(static offered => new TopicPartitionOffset(
            offered.Partition.Partition, offered.Offset, offered.Partition.Tracker.EpochAt(offered.Offset)));
        var succeeded = transaction.Entries.FindAll(static entry => entry is { State: TransactionEntryState.Succeeded, Committed: not null });
        var end = await _client!.CommitAsync(offsets, member, _giveUp.Token).ConfigureAwait(false);
        if (end.Kind is TransactionEndKind.Committed && succeeded.Count > 0)
        {
            Task.Run(() => succeeded.ForEach(Tell), CancellationToken.None).Forget();
        }

        return end;
    }

    private void Tell(TransactionEntry entry)
    {
        try
        {
            entry.Committed!();
        }
        catch (Exception error)
        {
            TransactionsLog.TellingFailed(_logger, error, entry.Partition.Id, entry.Offset);
        }
    }

    private void TakeEnd(TransactionEnd end)
    {
        var transaction = _transaction!;
        _ending = null;
        if (end.Kind is TransactionEndKind.Broken)
        {
            if (_stopping)
            {
                TransactionsLog.NotEnded(_logger, _group.Name);
                _transaction = null;
                LetGo();
                return;
            }

            Restart(end.Error!);
            return;
        }

        _transaction = null;
        _state = BatcherState.Collecting;
        if (end.Kind is TransactionEndKind.Committed)
        {
            Count(transaction);
        }
        else
        {
            _group.Metrics.TransactionAborted();
            BackOff(transaction, end.Error);
            ReturnToBacklog(transaction);
        }
    }

    private void Count(GroupTransaction transaction)
    {
        var messages = 0;
        foreach (var (partition, offset, count) in _offered)
        {
            messages += count;
            if (!_assignment.IsCurrent(partition))
            {
                continue;
            }

            for (var i = 0; i < count; i++)
            {
                var delivery = partition.Backlog[i];
                _assignment.Finish(delivery);
                _recycle(delivery);
            }

            partition.Backlog.RemoveFirst(count);
            if (offset >= 0)
            {
                partition.Stored = offset;
            }
        }

        _isLate = transaction.Entries.Count > messages;
        _group.Metrics.TransactionCommitted();
        _group.Metrics.FinishedMessages(messages);
        TransactionsLog.Committed(_logger, _group.Name, messages);
        _refusals = 0;
        if (transaction.Age < transaction.Limit / 2)
        {
            _limit = Math.Min(_settings.MaxMessages, _limit + Math.Max(1, _limit / 2));   // with time left for them
        }

        transaction.Entries.RemoveAll(entry => !_assignment.IsCurrent(entry.Partition) || entry.State is TransactionEntryState.Succeeded);
        _resolution.ReturnToBacklog(transaction);
    }

    // What was not to blame is not begun again at once, over and over.
    private void BackOff(GroupTransaction transaction, Error? refused)
    {
        if (refused is null && !transaction.IsPoisoned)
        {
            TransactionsLog.Aborted(_logger, _group.Name, transaction.Entries.Count, transaction.IsFailed ? "a message failed, or its time was over"
                : "its partitions were revoked, or it was paused or stopped");
            return;
        }

        if (transaction.IsPoisoned && transaction.Entries.Exists(static entry => entry.Refused is { Retriable: false }))
        {
            return;   // who is to blame is found out
        }

        var delay = RefusedBackoff.Before(Math.Min(++_refusals, 10));
        _beginAt = After(delay);
        TransactionsLog.Refused(
            _logger,
            IsBenign(refused) ? LogLevel.Information : LogLevel.Warning,
            refused?.Code ?? ErrorCode.NoError,
            refused?.Reason ?? "something that was sent in it was refused",
            _group.Name,
            Duration.Text(delay));
    }

    // A rebalance overtook the transaction. The next one has the new generation.
    private bool IsBenign(Error? refused) => _refusals <= 3 && refused?.Code is (
        ErrorCode.RebalanceInProgress or ErrorCode.IllegalGeneration or ErrorCode.UnknownMemberId);

    private void ReturnToBacklog(GroupTransaction transaction)
    {
        _isLate = true;
        _resolution.ReturnToBacklog(transaction);
    }

    private long After(TimeSpan delay) => _time.GetTimestamp() + (long)(delay.TotalSeconds * _time.TimestampFrequency);
}
