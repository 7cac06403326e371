using System.Collections.Concurrent;
using System.Globalization;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;

namespace Narad.Kafka.Outbox;

/// <summary>
/// Sends the pending messages of one bucket while its lease lasts: each key one message at a time, all keys at once, and marks what Kafka acknowledged.
/// </summary>
/// <remarks>
/// <para>
/// One message of a key is on its way at a time. Several at once would be faster for a single key, and could invert it: where the first one fails (its time is
/// over, the topic refuses it) the next one, which the client has already, may still be written, and nobody can take that back.
/// </para>
/// <para>
/// A key is read again only when everything that was sent of it is marked. While the store cannot mark, nothing of the key is sent again.
/// Threading: the run is one task at a time; the tasks of keys reach it through the two queues.
/// </para>
/// </remarks>
internal sealed class OutboxBucket(HeldLease lease, IOutboxStore store, OutboxOptions options, OutboxTransport send, OutboxMetrics metrics, TimeProvider time,
    ILogger logger, OncePerKind<(string, string)> failures, CancellationToken stopping)
{
    // Above it the bucket waits for the first of them: the query that leaves them out must not grow without bound.
    private const int MostBlockedKeys = 1_000;

    // How often a bucket that may not be sent from any more tries to mark what was acknowledged.
    private const int MostLastAttempts = 5;

    // How long acknowledgements are gathered, to be marked together. What is not marked is sent again after a crash, so it is short.
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan SlowAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWaitForKafka = TimeSpan.FromSeconds(5);
    private static readonly Backoff StoreBackoff = Backoff.Exponential(TimeSpan.FromMilliseconds(100), max: TimeSpan.FromSeconds(5)).WithJitter(0.25);

    private readonly Lock _lock = new();
    private readonly RelaySignal _signal = new();
    private readonly Dictionary<long, OutboxKeyQueue> _active = [];   // used by the run only
    private readonly List<OutboxRow> _unmarked = [];                  // used by the run only
    private readonly List<OutboxKeyQueue> _unmarkedKeys = [];         // used by the run only: ended, with messages in _unmarked
    private readonly ConcurrentDictionary<long, BlockedKey> _blocked = new();
    private readonly ConcurrentQueue<OutboxRow> _acknowledged = new();
    private readonly ConcurrentQueue<OutboxKeyQueue> _ended = new();
    private Task _run = Task.CompletedTask;   // under _lock, as the next two
    private bool _isRunning;
    private bool _isWoken;
    private bool _mayBeMarked;      // used by the run only: whether the answer to a marking was lost
    private long _readAt;           // used by the run only
    private int _isReadWhole;       // interlocked: 1 where the last read left nothing behind that was pending then
    private int _onTheWay;          // interlocked: messages
    private int _sending;           // interlocked: keys
    private int _isToMark;          // interlocked: 1 where something was acknowledged, or a key ended, since the last marking

    public HeldLease Held => lease;

    public int Number => lease.Lease.Bucket;

    /// <summary>Whether it sends now, or waits for answers.</summary>
    public bool IsRunning
    {
        get
        {
            lock (_lock)
            {
                return _isRunning;
            }
        }
    }

    /// <summary>The current run; complete where there is none.</summary>
    public Task Run
    {
        get
        {
            lock (_lock)
            {
                return _run;
            }
        }
    }

    /// <summary>How many messages wait for Kafka's answer.</summary>
    public int OnTheWay => Volatile.Read(ref _onTheWay);

    /// <summary>How many messages may be in memory. Written by the relay.</summary>
    public int Limit { get; set; } = 1;

    /// <summary>Looks for pending messages: now, where it runs, or in a new run.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            _isWoken = true;
            if (_isRunning)
            {
                _signal.Set();
            }
            else if (lease.MaySend && !stopping.IsCancellationRequested)
            {
                _isRunning = true;
                _run = Task.Run(RunAsync, CancellationToken.None);
            }
        }
    }

    /// <summary>Where it runs, looks again.</summary>
    /// <returns>Whether it runs.</returns>
    public bool WakeIfRunning()
    {
        lock (_lock)
        {
            if (_isRunning)
            {
                _isWoken = true;
                _signal.Set();
            }

            return _isRunning;
        }
    }

    private bool MaySend => lease.MaySend && !stopping.IsCancellationRequested;

    private async Task RunAsync()
    {
        var failed = 0;
        while (true)
        {
            var wait = options.PollInterval;
            try
            {
                if (TakeWake())
                {
                    Interlocked.Exchange(ref _isReadWhole, 0);
                }

                await MarkAsync().ConfigureAwait(false);
                var read = MaySend && MayBeMore ? await ReadAsync().ConfigureAwait(false) : 0;
                failed = 0;
                if (read == 0 && _active.Count == 0 && TryEnd())
                {
                    return;
                }
            }
            catch (Exception error) when (error is not OperationCanceledException || !stopping.IsCancellationRequested)
            {
                // The relay's own renewal tells that the store is away. What is on its way stays here until it can be marked.
                OutboxLog.StoreFailed(logger, error, Number);
                wait = StoreBackoff.Before(++failed);
                if (!MaySend && OnTheWay == 0 && failed >= MostLastAttempts)
                {
                    End();
                    return;
                }
            }
            catch (OperationCanceledException)
            {
                // The relay stops: nothing is read any more, what is on its way is waited for.
            }

            await _signal.WaitAsync(wait, time, CancellationToken.None).ConfigureAwait(false);
            if (Volatile.Read(ref _isToMark) != 0 && Volatile.Read(ref _sending) > 0 && !IsWoken)
            {
                await _signal.WaitAsync(Gathering, time, CancellationToken.None).ConfigureAwait(false);   // until the last key ends, or new messages come
            }
        }
    }

    private bool TakeWake()
    {
        lock (_lock)
        {
            var isWoken = _isWoken;
            _isWoken = false;
            return isWoken;
        }
    }

    private bool IsWoken
    {
        get
        {
            lock (_lock)
            {
                return _isWoken;
            }
        }
    }

    // Whether a read may find something: new messages, those that the last read left behind, a key whose wait is over, what was not reported.
    private bool MayBeMore =>
        Volatile.Read(ref _isReadWhole) == 0 || !_blocked.IsEmpty || time.GetElapsedTime(_readAt) >= options.PollInterval;

    // False: it was woken meanwhile.
    private bool TryEnd()
    {
        lock (_lock)
        {
            if (_isWoken && MaySend)
            {
                _signal.Set();
                return false;
            }

            _isRunning = false;
            return true;
        }
    }

    private void End()
    {
        lock (_lock)
        {
            _isRunning = false;
        }
    }

    // What was acknowledged is marked before its key may be read again.
    private async Task MarkAsync()
    {
        Interlocked.Exchange(ref _isToMark, 0);

        // In this order: what a key that ended has sent was queued before.
        while (_ended.TryDequeue(out var key))
        {
            _unmarkedKeys.Add(key);
        }

        while (_acknowledged.TryDequeue(out var row))
        {
            _unmarked.Add(row);
        }

        if (_unmarked.Count > 0)
        {
            var isRepeated = _mayBeMarked;
            _mayBeMarked = true;
            var marked = await store.MarkDispatchedAsync(lease.Lease, _unmarked, CancellationToken.None).ConfigureAwait(false);
            _mayBeMarked = false;
            if (marked < _unmarked.Count && !isRepeated)
            {
                OutboxLog.NotMarked(logger, _unmarked.Count - marked, Number);
                lease.GiveUp();
            }

            _unmarked.Clear();
        }

        foreach (var key in _unmarkedKeys)
        {
            _active.Remove(key.KeyHash);
        }

        _unmarkedKeys.Clear();
    }

    private async Task<int> ReadAsync()
    {
        var limit = Limit;
        var now = time.GetTimestamp();
        _readAt = now;
        Interlocked.Exchange(ref _isReadWhole, 0);
        var slow = now - (long)(SlowAfter.TotalSeconds * time.TimestampFrequency);
        foreach (var key in _active.Values)
        {
            key.TrimIfSlow(slow);
        }

        if (_blocked.Count > 2 * MostBlockedKeys)
        {
            foreach (var over in _blocked.Where(key => key.Value.Until <= now))
            {
                _blocked.TryRemove(over);   // it waits anew where it fails again
            }
        }

        var room = limit - _active.Values.Sum(static key => key.Count);
        var blocked = _blocked.Where(key => key.Value.Until > now).Select(static key => key.Key).ToList();
        if (room < Math.Max(1, limit / 4) || blocked.Count >= MostBlockedKeys)
        {
            return 0;
        }

        List<long> except = [.. _active.Keys, .. blocked];
        var rows = await store.ReadPendingAsync(lease.Lease, except, room, stopping).ConfigureAwait(false);
        var keys = Group(rows);
        var most = room;
        if (rows.Count == room && keys.Count < room / 2)
        {
            // Keys with many messages leave no room for others: those are asked for without them.
            rows = await store.ReadPendingAsync(lease.Lease, [.. except, .. keys.Select(static key => key.Key)], room, stopping).ConfigureAwait(false);
            keys.AddRange(Group(rows));
            most = Math.Max(1, room / keys.Count);
        }
        else if (rows.Count < room && except.Count == 0)
        {
            Interlocked.Exchange(ref _isReadWhole, 1);
        }

        foreach (var (keyHash, ofKey) in keys)
        {
            if (!MaySend)
            {
                break;
            }

            var queue = new OutboxKeyQueue(keyHash, ofKey.Take(most));
            _active.Add(keyHash, queue);
            Interlocked.Increment(ref _sending);
            _ = Task.Run(() => SendAsync(queue), CancellationToken.None);
        }

        return keys.Count;
    }

    private static List<(long Key, List<OutboxRow> Rows)> Group(IReadOnlyList<OutboxRow> rows)
    {
        var positions = new Dictionary<long, int>();
        var keys = new List<(long Key, List<OutboxRow> Rows)>();
        foreach (var row in rows)
        {
            if (!positions.TryGetValue(row.Message.KeyHash, out var position))
            {
                positions.Add(row.Message.KeyHash, position = keys.Count);
                keys.Add((row.Message.KeyHash, []));
            }

            keys[position].Rows.Add(row);
        }

        return keys;
    }

    private async Task SendAsync(OutboxKeyQueue key)
    {
        try
        {
            while (MaySend && key.Next(time.GetTimestamp()) is { } row)
            {
                Interlocked.Increment(ref _onTheWay);
                try
                {
                    await send(row.Message).ConfigureAwait(false);
                }
                catch (Exception error)
                {
                    metrics.CountFailure();
                    await FailedAsync(row, error).ConfigureAwait(false);
                    Interlocked.Exchange(ref _isReadWhole, 0);   // what is behind it was not sent
                    break;
                }
                finally
                {
                    Interlocked.Decrement(ref _onTheWay);
                }

                metrics.CountDispatched();
                _blocked.TryRemove(key.KeyHash, out _);
                _acknowledged.Enqueue(row);
                SignalToMark();
            }
        }
        finally
        {
            key.Clear();
            _ended.Enqueue(key);
            SignalToMark();
            if (Interlocked.Decrement(ref _sending) == 0)
            {
                _signal.Set();
            }
        }
    }

    // The first one since the last marking; the others are gathered.
    private void SignalToMark()
    {
        if (Interlocked.Exchange(ref _isToMark, 1) == 0)
        {
            _signal.Set();
        }
    }

    // The key waits; what is behind its message was not sent.
    private async Task FailedAsync(OutboxRow row, Exception error)
    {
        var failed = _blocked.TryGetValue(row.Message.KeyHash, out var known) ? known.Failures + 1 : 1;
        var attempts = row.Attempts + 1;
        var isRefusal = IsRefusal(error);
        var delay = Delay(isRefusal ? attempts : failed, isRefusal ? options.MaxRetryDelay : LongestWaitForKafka);
        var reason = ExceptionText.Message(error);
        try
        {
            if (!isRefusal)
            {
                if (failures.IsDue((row.Message.Topic, Kind(error))))
                {
                    OutboxLog.SendFailed(logger, row.Message.Topic, Duration.Text(delay), reason);
                }
            }
            else if (attempts < options.MaxAttempts)
            {
                await store.RecordRefusalAsync(lease.Lease, row, reason, CancellationToken.None).ConfigureAwait(false);
                OutboxLog.Refused(logger, row.Message.Id, row.Message.Topic, attempts, options.MaxAttempts, Duration.Text(delay), reason);
            }
            else if (await store.SetAsideAsync(lease.Lease, row, reason, options.KeyAfterSetAside is OutboxKeyPolicy.Wait, CancellationToken.None)
                .ConfigureAwait(false))
            {
                metrics.CountSetAside();
                OutboxLog.SetAside(logger, row.Message.Id, row.Message.Topic, attempts,
                    options.KeyAfterSetAside is OutboxKeyPolicy.Wait ? "wait until it is retried or discarded" : "are sent", reason);
                _blocked.TryRemove(row.Message.KeyHash, out _);
                return;
            }
        }
        catch (Exception unavailable) when (unavailable is not OutOfMemoryException)
        {
            // The attempt is not counted; the message is sent again all the same.
            OutboxLog.StoreFailed(logger, unavailable, Number);
        }

        _blocked[row.Message.KeyHash] = new BlockedKey(failed, time.GetTimestamp() + (long)(delay.TotalSeconds * time.TimestampFrequency));
    }

    private TimeSpan Delay(int failed, TimeSpan longest) => TimeSpan.FromMilliseconds(Math.Min(
        Math.Max(longest.TotalMilliseconds, options.RetryDelay.TotalMilliseconds),
        options.RetryDelay.TotalMilliseconds * Math.Pow(2, Math.Min(failed - 1, 30))));

    /// <summary>Whether the message itself was refused. While Kafka is away, or lets nobody write, the message is not to blame.</summary>
    internal static bool IsRefusal(Exception error) => error is KafkaSendException failure && (!failure.Retriable
        ? failure.Reason is not (nameof(ErrorCode.ClusterAuthorizationFailed) or nameof(ErrorCode.TransactionalIdAuthorizationFailed)
            or nameof(ErrorCode.GroupAuthorizationFailed) or nameof(ErrorCode.SaslAuthenticationFailed) or nameof(ErrorCode.Local_Authentication))
        : string.Equals(failure.Reason, nameof(ErrorCode.Local_UnknownPartition), StringComparison.Ordinal));

    private static string Kind(Exception error) => error is KafkaSendException failure ? failure.Reason
        : error.GetType().FullName ?? error.HResult.ToString(CultureInfo.InvariantCulture);

    private sealed record BlockedKey(int Failures, long Until);
}
