namespace Narad.Kafka;

/// <summary>
/// An outbox store in this process's memory, for tests and development: it forgets everything at exit and knows nothing of other processes. It has no
/// transactions (<see cref="OutboxGuarantee.AtLeastOnce"/>). Thread-safe.
/// </summary>
public sealed class InMemoryOutboxStore : IOutboxStore
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly Bucket[] _buckets = [.. Enumerable.Range(0, OutboxMessage.BucketCount).Select(static _ => new Bucket())];
    private readonly Dictionary<string, DateTimeOffset> _relays = new(StringComparer.Ordinal);   // until when each is known to live
    private readonly Dictionary<string, SetAsideRow> _setAside = new(StringComparer.Ordinal);
    private readonly Queue<(OutboxMessage Message, DateTimeOffset At)> _dispatched = new();
    private readonly List<Action<int?>> _watchers = [];
    private TimeSpan _retention;

    /// <summary>Creates an empty store.</summary>
    /// <param name="time">The clock of leases and ages; default: the system's.</param>
    public InMemoryOutboxStore(TimeProvider? time = null) => _time = time ?? TimeProvider.System;

    /// <summary>The messages that were dispatched and have not expired, in the order in which they were marked.</summary>
    public IReadOnlyList<OutboxMessage> Dispatched
    {
        get
        {
            lock (_lock)
            {
                Expire_NeedsLock();
                return [.. _dispatched.Select(static one => one.Message)];
            }
        }
    }

    /// <inheritdoc/>
    public Task<OutboxGuarantee> StartAsync(TimeSpan retention, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _retention = retention;
        }

        return Task.FromResult(OutboxGuarantee.AtLeastOnce);
    }

    /// <inheritdoc/>
    public Task EnqueueAsync(IReadOnlyList<OutboxMessage> messages, object? session, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (session is not null)
        {
            throw new ArgumentException(
                $"An outbox in memory has no transactions, and {session.GetType()} was given as one. Enqueue without WithSession.", nameof(session));
        }

        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            foreach (var message in messages)
            {
                var bucket = _buckets[message.Bucket];
                bucket.Pending.Add(++bucket.LastSequence, new OutboxRow(message, bucket.LastSequence, 0, now));
            }
        }

        Signal(messages.Select(static message => message.Bucket));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<OutboxMembership> HeartbeatAsync(string relay, TimeSpan duration, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(relay);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            _relays[relay] = now + duration;
            foreach (var (dead, _) in _relays.Where(one => one.Value <= now).ToList())
            {
                _relays.Remove(dead);
            }

            var held = new List<OutboxLease>();
            var free = new List<int>();
            for (var i = 0; i < _buckets.Length; i++)
            {
                var bucket = _buckets[i];
                if (bucket.Relay is null || bucket.Expires <= now)
                {
                    free.Add(i);
                }
                else if (string.Equals(bucket.Relay, relay, StringComparison.Ordinal))
                {
                    bucket.Expires = now + duration;
                    held.Add(new OutboxLease(i, relay, bucket.Fence));
                }
            }

            return Task.FromResult(new OutboxMembership(_relays.Count, held, free));
        }
    }

    /// <inheritdoc/>
    public Task<OutboxLease?> TryAcquireAsync(string relay, int bucket, TimeSpan duration, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(relay);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            var taken = _buckets[bucket];
            if (taken.Relay is not null && taken.Expires > now)
            {
                return Task.FromResult<OutboxLease?>(null);
            }

            taken.Relay = relay;
            taken.Expires = now + duration;
            taken.Fence++;
            return Task.FromResult<OutboxLease?>(new OutboxLease(bucket, relay, taken.Fence));
        }
    }

    /// <inheritdoc/>
    public Task ReleaseAsync(OutboxLease lease, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        lock (_lock)
        {
            if (IsInForce_NeedsLock(lease))
            {
                _buckets[lease.Bucket].Relay = null;
            }
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task LeaveAsync(string relay, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _relays.Remove(relay);
            foreach (var bucket in _buckets.Where(bucket => string.Equals(bucket.Relay, relay, StringComparison.Ordinal)))
            {
                bucket.Relay = null;
            }
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<IReadOnlyCollection<int>> FindPendingBucketsAsync(IReadOnlyCollection<int> buckets, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buckets);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyCollection<int>>([.. buckets.Where(bucket => _buckets[bucket].Pending.Count > 0)]);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<OutboxRow>> ReadPendingAsync(
        OutboxLease lease, IReadOnlyCollection<long> exceptKeys, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(exceptKeys);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (!IsInForce_NeedsLock(lease))
            {
                return Task.FromResult<IReadOnlyList<OutboxRow>>([]);
            }

            var except = new HashSet<long>(exceptKeys);
            except.UnionWith(_setAside.Values.Where(row => row.HoldsKey && row.Row.Message.Bucket == lease.Bucket)
                .Select(static row => row.Row.Message.KeyHash));
            return Task.FromResult<IReadOnlyList<OutboxRow>>([.. _buckets[lease.Bucket].Pending.Values
                .Where(row => !except.Contains(row.Message.KeyHash)).Take(limit)]);
        }
    }

    /// <inheritdoc/>
    public Task<int> MarkDispatchedAsync(OutboxLease lease, IReadOnlyList<OutboxRow> rows, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(rows);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            var marked = 0;
            foreach (var row in rows)
            {
                if (TryTake_NeedsLock(lease, row) is not null)
                {
                    marked++;
                    _dispatched.Enqueue((row.Message, _time.GetUtcNow()));
                }
            }

            Expire_NeedsLock();
            return Task.FromResult(marked);
        }
    }

    /// <inheritdoc/>
    public Task<bool> RecordRefusalAsync(OutboxLease lease, OutboxRow row, string reason, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(row);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (TryTake_NeedsLock(lease, row) is not { } found)
            {
                return Task.FromResult(false);
            }

            _buckets[lease.Bucket].Pending.Add(found.Sequence, found with { Attempts = found.Attempts + 1 });
            return Task.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public Task<bool> SetAsideAsync(OutboxLease lease, OutboxRow row, string reason, bool holdsKey, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(row);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (TryTake_NeedsLock(lease, row) is not { } found)
            {
                return Task.FromResult(false);
            }

            _setAside.Add(found.Message.Id, new SetAsideRow(found with { Attempts = found.Attempts + 1 }, reason, holdsKey, _time.GetUtcNow()));
            return Task.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public Task<OutboxStatistics> GetStatisticsAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            var oldest = _buckets.SelectMany(static bucket => bucket.Pending.Values).Select(static row => (DateTimeOffset?)row.EnqueuedAt).Min();
            return Task.FromResult(new OutboxStatistics(_buckets.Sum(static bucket => (long)bucket.Pending.Count), now - oldest, _setAside.Count));
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SetAsideMessage>> ListSetAsideAsync(string? topic, int limit, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyList<SetAsideMessage>>([.. _setAside.Values
                .Where(one => topic is null || string.Equals(one.Row.Message.Topic, topic, StringComparison.Ordinal))
                .OrderBy(static one => one.At).ThenBy(static one => one.Row.Message.Id, StringComparer.Ordinal)
                .Take(limit)
                .Select(static one => new SetAsideMessage(one.Row.Message, one.Row.Attempts, one.Reason, one.HoldsKey, one.Row.EnqueuedAt, one.At))]);
        }
    }

    /// <inheritdoc/>
    public Task<int> RetryAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
        TakeSetAsideAsync(ids, row => _buckets[row.Message.Bucket].Pending.Add(row.Sequence, row with { Attempts = 0 }), cancellationToken);

    /// <inheritdoc/>
    public Task<int> DiscardAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
        TakeSetAsideAsync(ids, static _ => { }, cancellationToken);

    /// <inheritdoc/>
    public async Task WatchAsync(Action<int?> signal, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _watchers.Add(signal);
        }

        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            _watchers.Remove(signal);
        }
    }

    // Takes messages out of those set aside; what waited for them may go.
    private Task<int> TakeSetAsideAsync(IReadOnlyCollection<string> ids, Action<OutboxRow> take_NeedsLock, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ids);
        cancellationToken.ThrowIfCancellationRequested();
        var buckets = new List<int>();
        lock (_lock)
        {
            foreach (var id in ids)
            {
                if (_setAside.Remove(id, out var one))
                {
                    buckets.Add(one.Row.Message.Bucket);
                    take_NeedsLock(one.Row);
                }
            }
        }

        Signal(buckets);
        return Task.FromResult(buckets.Count);
    }

    private void Signal(IEnumerable<int> buckets)
    {
        Action<int?>[] watchers;
        lock (_lock)
        {
            watchers = [.. _watchers];
        }

        foreach (var bucket in watchers.Length == 0 ? [] : buckets.Distinct())
        {
            Array.ForEach(watchers, watcher => watcher(bucket));
        }
    }

    private bool IsInForce_NeedsLock(OutboxLease lease)
    {
        var bucket = _buckets[lease.Bucket];
        return string.Equals(bucket.Relay, lease.Relay, StringComparison.Ordinal) && bucket.Fence == lease.Fence && bucket.Expires > _time.GetUtcNow();
    }

    // Takes a message out of the pending ones; null where it is none, or the lease is not in force.
    private OutboxRow? TryTake_NeedsLock(OutboxLease lease, OutboxRow row) =>
        IsInForce_NeedsLock(lease) && _buckets[lease.Bucket].Pending.TryGetValue(row.Sequence, out var found)
            && string.Equals(found.Message.Id, row.Message.Id, StringComparison.Ordinal) && _buckets[lease.Bucket].Pending.Remove(row.Sequence) ? found : null;

    private void Expire_NeedsLock()
    {
        var before = _time.GetUtcNow() - _retention;
        while (_dispatched.TryPeek(out var first) && first.At <= before)
        {
            _dispatched.Dequeue();
        }
    }

    private sealed class Bucket
    {
        public SortedDictionary<long, OutboxRow> Pending { get; } = [];

        public long LastSequence { get; set; }

        /// <summary>Who holds it; null: nobody.</summary>
        public string? Relay { get; set; }

        public long Fence { get; set; }

        public DateTimeOffset Expires { get; set; }
    }

    private sealed record SetAsideRow(OutboxRow Row, string Reason, bool HoldsKey, DateTimeOffset At);
}
