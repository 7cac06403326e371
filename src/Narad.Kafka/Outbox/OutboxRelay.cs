using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Outbox;

/// <summary>
/// Sends what the outbox holds. Several relays share the buckets evenly: each renews its leases every third of their time, takes what is free up to its share,
/// and gives back what is above it. Thread-safe.
/// </summary>
/// <remarks>
/// Three tasks: the renewal is the only one that adds and removes buckets; the dispatch starts buckets that have pending messages; the counting feeds metrics
/// and health. What the store reports of new messages only wakes the dispatch, which asks the store itself every <see cref="OutboxOptions.PollInterval"/>.
/// </remarks>
internal sealed class OutboxRelay : IAsyncDisposable
{
    private static readonly TimeSpan ShortestRenewal = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastCall = TimeSpan.FromSeconds(2);

    private readonly IOutboxStore _store;
    private readonly OutboxOptions _options;
    private readonly OutboxTransport _send;
    private readonly OutboxMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly OncePerKind<(string Topic, string Reason)> _failures;
    private readonly CancellationTokenSource _stopping = new();
    private readonly RelaySignal _signal = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<int, OutboxBucket> _buckets = [];        // under _lock; added to and removed from by the renewal only
    private readonly Dictionary<int, Task> _ending = [];                 // used by the renewal, and after it by the stop
    private Task _tasks = Task.CompletedTask;
    private volatile Exception? _outage;
    private volatile bool _isReady;
    private readonly int[] _reported = new int[OutboxMessage.BucketCount];   // interlocked: 1 where the store reported new messages
    private int _isToPoll;                                                    // interlocked
    private int _said = -1;                                                   // used by the renewal only

    public OutboxRelay(IOutboxStore store, OutboxOptions options, OutboxTransport send, OutboxMetrics metrics, TimeProvider time, ILogger logger)
    {
        _store = store;
        _options = options;
        _send = send;
        _metrics = metrics;
        _time = time;
        _logger = logger;
        _failures = new OncePerKind<(string, string)>(time, lapse: TimeSpan.FromMinutes(10));
    }

    /// <summary>Unique: a relay of an earlier start is another one.</summary>
    public string Id { get; } = $"{Environment.MachineName}/{Environment.ProcessId}/{Guid.NewGuid():N}";

    /// <summary>Why the store did not answer last; null: it did.</summary>
    public Exception? Outage => _outage;

    /// <summary>Whether the store was prepared.</summary>
    public bool IsReady => _isReady;

    /// <summary>How many buckets it holds.</summary>
    public int Held
    {
        get
        {
            lock (_lock)
            {
                return _buckets.Count;
            }
        }
    }

    /// <summary>Prepares the store, now or, where it does not answer, in the background, and begins to send.</summary>
    /// <exception cref="KafkaConfigurationException">The store cannot serve as it is configured.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await TryPrepareAsync(cancellationToken).ConfigureAwait(false);
        _tasks = Task.WhenAll(
            Task.Run(RenewAsync, CancellationToken.None),
            Task.Run(DispatchAsync, CancellationToken.None),
            Task.Run(CountAsync, CancellationToken.None),
            Task.Run(WatchAsync, CancellationToken.None));
    }

    /// <summary>Starts no more sends, waits for those on their way, and releases the leases at once. Throws nothing.</summary>
    /// <param name="limit">How long what is on its way is waited for.</param>
    public async Task StopAsync(TimeSpan limit)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _tasks.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        OutboxBucket[] buckets;
        lock (_lock)
        {
            buckets = [.. _buckets.Values];
        }

        foreach (var bucket in buckets)
        {
            bucket.WakeIfRunning();
        }

        var runs = Task.WhenAll([.. buckets.Select(static bucket => bucket.Run), .. _ending.Values]);
        await runs.WaitAsync(limit, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (buckets.Sum(static bucket => bucket.OnTheWay) is > 0 and var left)
        {
            OutboxLog.StoppedEarly(_logger, left);
        }

        try
        {
            using var end = new CancellationTokenSource(LastCall, _time);
            await _store.LeaveAsync(Id, end.Token).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            // The leases expire by themselves.
            OutboxLog.StoreFailed(_logger, error, -1);
        }

        lock (_lock)
        {
            _buckets.Clear();
        }

        _metrics.Buckets = 0;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero).ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task<bool> TryPrepareAsync(CancellationToken cancellationToken)
    {
        if (_isReady)
        {
            return true;
        }

        try
        {
            if (await _store.StartAsync(_options.Retention, cancellationToken).ConfigureAwait(false) is OutboxGuarantee.Transactional)
            {
                OutboxLog.Transactional(_logger);
            }
            else
            {
                OutboxLog.AtLeastOnce(_logger);
            }

            _isReady = true;
        }
        catch (Exception error) when (error is not (KafkaConfigurationException or OperationCanceledException))
        {
            Failed(error);
        }

        return _isReady;
    }

    private async Task RenewAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            var wait = _options.LeaseDuration / 3;
            try
            {
                if (await TryPrepareAsync(_stopping.Token).ConfigureAwait(false))
                {
                    wait = await RenewOnceAsync().ConfigureAwait(false);
                    Answered();
                }
                else
                {
                    wait = Shortened(wait, by: 5);
                }
            }
            catch (Exception error) when (!_stopping.IsCancellationRequested)
            {
                Failed(error);
                wait = Shortened(wait, by: 5);
                LeaveExpired();
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await WaitAsync(wait).ConfigureAwait(false);
        }
    }

    // The wait until the next time.
    private async Task<TimeSpan> RenewOnceAsync()
    {
        var asked = _time.GetTimestamp();
        var membership = await _store.HeartbeatAsync(Id, _options.LeaseDuration, _stopping.Token).ConfigureAwait(false);
        foreach (var ended in _ending.Where(static one => one.Value.IsCompleted).Select(static one => one.Key).ToList())
        {
            _ending.Remove(ended);
        }

        Adopt(membership.Held, asked);
        var all = OutboxMessage.BucketCount;
        var relays = Math.Max(1, membership.Relays);
        var share = (all + relays - 1) / relays;
        if (Held > share)
        {
            GiveBack(Held - share);
        }
        else
        {
            await AcquireAsync(membership.Free, share - Held).ConfigureAwait(false);
        }

        var held = Held;
        _metrics.Buckets = held;
        if (held != _said)
        {
            _said = held;
            OutboxLog.Buckets(_logger, Id, held, all, relays);
        }

        // One that has less than its share looks more often, so that what others give back does not wait.
        return held < all / relays ? Shortened(_options.LeaseDuration / 3, by: 5) : _options.LeaseDuration / 3;
    }

    // What the store says is held is what is held.
    private void Adopt(IReadOnlyList<OutboxLease> held, long asked)
    {
        var byBucket = held.ToDictionary(static lease => lease.Bucket);
        var lost = 0;
        lock (_lock)
        {
            foreach (var bucket in _buckets.Values.ToList())
            {
                if (byBucket.TryGetValue(bucket.Number, out var lease) && lease == bucket.Held.Lease && bucket.Held.IsWanted)
                {
                    bucket.Held.Extend(ValidUntil(asked));
                }
                else
                {
                    lost += lease == bucket.Held.Lease ? 0 : 1;
                    End_NeedsLock(bucket, release: false);
                }
            }

            foreach (var lease in held.Where(lease => !_buckets.ContainsKey(lease.Bucket) && !_ending.ContainsKey(lease.Bucket)))
            {
                Add_NeedsLock(lease, asked);   // taken, and the answer was lost
            }
        }

        if (lost > 0)
        {
            OutboxLog.LeasesLost(_logger, Id, lost);
        }
    }

    // The renewal failed for so long that nothing may be sent.
    private void LeaveExpired()
    {
        var lost = 0;
        lock (_lock)
        {
            foreach (var bucket in _buckets.Values.Where(static bucket => !bucket.Held.MaySend).ToList())
            {
                lost++;
                End_NeedsLock(bucket, release: false);
            }
        }

        if (lost > 0)
        {
            OutboxLog.LeasesLost(_logger, Id, lost);
            _metrics.Buckets = Held;
        }
    }

    private async Task AcquireAsync(IReadOnlyList<int> free, int wanted)
    {
        // Not the same ones that every other relay tries first.
        var candidates = free.Where(bucket => !_ending.ContainsKey(bucket)).ToArray();
        Random.Shared.Shuffle(candidates);
        var asked = _time.GetTimestamp();
        var leases = await Task.WhenAll(candidates.Take(wanted)
            .Select(bucket => _store.TryAcquireAsync(Id, bucket, _options.LeaseDuration, _stopping.Token))).ConfigureAwait(false);
        lock (_lock)
        {
            foreach (var lease in leases.OfType<OutboxLease>())
            {
                Add_NeedsLock(lease, asked);
            }
        }

        if (leases.Length > 0)
        {
            Poll();
        }
    }

    private void GiveBack(int surplus)
    {
        lock (_lock)
        {
            foreach (var bucket in _buckets.Values.OrderBy(static bucket => bucket.IsRunning).ThenByDescending(static bucket => bucket.Number).Take(surplus)
                .ToList())
            {
                End_NeedsLock(bucket, release: true);
            }
        }
    }

    private void Add_NeedsLock(OutboxLease lease, long asked) => _buckets.Add(lease.Bucket, new OutboxBucket(
        new HeldLease(lease, _time, ValidUntil(asked)), _store, _options, _send, _metrics, _time, _logger, _failures, _stopping.Token));

    // The bucket is not taken again before everything that it has sent is answered: two runs would send one key side by side.
    private void End_NeedsLock(OutboxBucket bucket, bool release)
    {
        bucket.Held.GiveUp();
        _buckets.Remove(bucket.Number);
        bucket.WakeIfRunning();
        _ending[bucket.Number] = EndAsync(bucket, release);
    }

    private async Task EndAsync(OutboxBucket bucket, bool release)
    {
        // Not under the caller's lock.
        await bucket.Run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        if (release)
        {
            try
            {
                await _store.ReleaseAsync(bucket.Held.Lease, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                // The next renewal finds it held, and adopts it.
                OutboxLog.StoreFailed(_logger, error, bucket.Number);
            }
        }
    }

    // A tenth earlier than in the store: a send that starts at the last moment takes time.
    private long ValidUntil(long asked) => asked + (long)(_options.LeaseDuration.TotalSeconds * 0.9 * _time.TimestampFrequency);

    private async Task DispatchAsync()
    {
        var polledAt = _time.GetTimestamp();
        while (!_stopping.IsCancellationRequested)
        {
            var wait = _options.PollInterval - _time.GetElapsedTime(polledAt);
            await _signal.WaitAsync(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, _time, _stopping.Token).ConfigureAwait(false);
            OutboxBucket[] buckets;
            lock (_lock)
            {
                buckets = [.. _buckets.Values];
            }

            var limit = Math.Max(1, _options.MaxInFlight / Math.Max(1, buckets.Length));
            foreach (var bucket in buckets)
            {
                bucket.Limit = limit;
                if (Interlocked.Exchange(ref _reported[bucket.Number], 0) != 0)
                {
                    bucket.Wake();
                }
            }

            if (Interlocked.Exchange(ref _isToPoll, 0) != 0 || _time.GetElapsedTime(polledAt) >= _options.PollInterval)
            {
                polledAt = _time.GetTimestamp();
                await PollAsync(buckets).ConfigureAwait(false);
            }
        }
    }

    private async Task PollAsync(OutboxBucket[] buckets)
    {
        var idle = buckets.Where(static bucket => !bucket.WakeIfRunning()).ToDictionary(static bucket => bucket.Number);
        if (idle.Count == 0)
        {
            return;
        }

        try
        {
            foreach (var pending in await _store.FindPendingBucketsAsync(idle.Keys, _stopping.Token).ConfigureAwait(false))
            {
                idle[pending].Wake();
            }
        }
        catch (Exception error) when (!_stopping.IsCancellationRequested)
        {
            Failed(error);
        }
        catch (OperationCanceledException)
        {
            // The relay stops.
        }
    }

    // Thread-safe: called by the store.
    private void Reported(int? bucket)
    {
        if (bucket is { } number)
        {
            Interlocked.Exchange(ref _reported[number], 1);
            _signal.Set();
        }
        else
        {
            Poll();
        }
    }

    private void Poll()
    {
        Interlocked.Exchange(ref _isToPoll, 1);
        _signal.Set();
    }

    private async Task CountAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                _metrics.Statistics = await _store.GetStatisticsAsync(_stopping.Token).ConfigureAwait(false);
            }
            catch (Exception error) when (!_stopping.IsCancellationRequested)
            {
                Failed(error);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await WaitAsync(_options.CountInterval).ConfigureAwait(false);
        }
    }

    private async Task WatchAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await _store.WatchAsync(Reported, _stopping.Token).ConfigureAwait(false);
            }
            catch (Exception error) when (!_stopping.IsCancellationRequested)
            {
                OutboxLog.WatchFailed(_logger, error, Duration.Text(_options.PollInterval));
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await WaitAsync(TimeSpan.FromSeconds(5)).ConfigureAwait(false);
        }
    }

    private void Failed(Exception error)
    {
        var isNews = _outage is null;
        _outage = error;
        if (isNews)
        {
            OutboxLog.StoreUnavailable(_logger, error);
        }
    }

    private void Answered()
    {
        if (_outage is not null)
        {
            _outage = null;
            OutboxLog.StoreAvailable(_logger);
            Poll();
        }
    }

    private static TimeSpan Shortened(TimeSpan time, int by) => time / by > ShortestRenewal ? time / by : ShortestRenewal;

    private async Task WaitAsync(TimeSpan time) =>
        await Task.Delay(time, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
