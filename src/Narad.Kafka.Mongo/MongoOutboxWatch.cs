using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>
/// Tells the relay that something was committed, by a change stream; where there is none, of what this process stored without a transaction. The stream never
/// resumes from a token of its own: what it misses, polling finds. Thread-safe.
/// </summary>
/// <remarks>
/// A stream that fails, ends or is silent is opened anew after a pause, which doubles until a stream has lived for a while. A stream is silent where a row was
/// read that it should have told of by now. It occupies one connection.
/// </remarks>
internal sealed class MongoOutboxWatch(
    MongoConnection connection, Func<IMongoCollection<BsonDocument>> rows, MongoOutboxSequence sequence, TimeProvider time)
{
    private const int MinPoolSize = 4;

    private static readonly TimeSpan MaxAwait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan MinPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Lived = TimeSpan.FromSeconds(60);

    private static readonly PipelineDefinition<ChangeStreamDocument<BsonDocument>, BsonDocument> Events =
        PipelineDefinition<ChangeStreamDocument<BsonDocument>, BsonDocument>.Create(
            new BsonDocument("$match", new BsonDocument("$or", new BsonArray
            {
                new BsonDocument("operationType", "insert"),
                new BsonDocument { { "operationType", "update" },
                    { $"updateDescription.updatedFields.{MongoOutboxRows.State}", MongoOutboxRows.Pending } },   // retried by an operator
            })),
            new BsonDocument("$project", new BsonDocument { { "operationType", 1 }, { $"fullDocument.{MongoOutboxRows.Bucket}", 1 },
                { $"fullDocument.{MongoOutboxRows.Sequence}", 1 } }));

    private readonly Lock _lock = new();

    // Guarded by _lock. The stream need not tell of rows up to _heard: they are older than it, or it told of a later one. _expected is a row beyond, and when
    // polling read it.
    private long _heard = long.MaxValue;
    private (long Sequence, long ReadAt)? _expected;
    private volatile MongoOutboxWakeUp _wakeUp;
    private volatile Action<int?>? _report;   // set while a relay of this process watches

    public MongoOutboxWakeUp WakeUp => _wakeUp;

    public async Task RunAsync(Action<int?> signal, CancellationToken cancellationToken)
    {
        _report = signal;
        try
        {
            if (await CanWatchAsync(cancellationToken).ConfigureAwait(false))
            {
                await WatchAsync(signal, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The end.
        }
        finally
        {
            _wakeUp = MongoOutboxWakeUp.None;
            _report = null;
        }
    }

    /// <summary>Tells the relay of this process, if there is one, of messages that were stored without a transaction.</summary>
    public void Stored(IEnumerable<OutboxMessage> messages)
    {
        if (_wakeUp is not MongoOutboxWakeUp.ChangeStream && _report is { } report)
        {
            foreach (var bucket in messages.Select(static message => message.Bucket).Distinct())
            {
                report(bucket);
            }
        }
    }

    /// <summary>Notes rows that polling found, so that a silent stream is noticed.</summary>
    public void NoteRead(IReadOnlyList<OutboxRow> read)
    {
        if (read.Count == 0)
        {
            return;
        }

        lock (_lock)
        {
            if (_expected is null && read[^1].Sequence > _heard)
            {
                _expected = (read[^1].Sequence, time.GetTimestamp());
            }
        }
    }

    private async Task<bool> CanWatchAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                if (!(await connection.DescribeAsync(cancellationToken).ConfigureAwait(false)).HasTransactions)
                {
                    return false;
                }

                var size = connection.Database.Client.Settings.MaxConnectionPoolSize;
                if (size < MinPoolSize)
                {
                    MongoLog.PoolTooSmall(connection.Logger, size, MinPoolSize);
                }

                return size >= MinPoolSize;
            }
            catch (StoreUnavailableException)
            {
                await Task.Delay(MongoInbox.Wait(attempt), time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task WatchAsync(Action<int?> signal, CancellationToken cancellationToken)
    {
        var pause = MinPause;
        var warned = false;
        while (true)
        {
            var opened = time.GetTimestamp();
            var reason = await WatchOnceAsync(signal, cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            if (time.GetElapsedTime(opened) >= Lived)
            {
                (pause, warned) = (MinPause, false);
            }

            if (!warned)
            {
                warned = true;
                MongoLog.ChangeStreamFailed(connection.Logger, reason);
            }

            _wakeUp = MongoOutboxWakeUp.Reconnecting;
            await Task.Delay(pause * (1 - (Random.Shared.NextDouble() / 4)), time, cancellationToken).ConfigureAwait(false);
            pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, MaxPause.Ticks));
        }
    }

    // Until the stream fails; returns why.
    private async Task<string> WatchOnceAsync(Action<int?> signal, CancellationToken cancellationToken)
    {
        // An answer without events has to come in time too.
        var wait = TimeSpan.FromTicks(Math.Min(MaxAwait.Ticks, connection.Options.OperationTimeout.Ticks / 2));
        try
        {
            using var stream = await connection.RunToAnswerAsync("open a change stream",
                token => rows().WatchAsync(Events, new ChangeStreamOptions { MaxAwaitTime = wait }, token), cancellationToken).ConfigureAwait(false);
            var last = await sequence.ReadAsync(cancellationToken).ConfigureAwait(false);
            lock (_lock)
            {
                _heard = last;
            }

            if (_wakeUp is MongoOutboxWakeUp.Reconnecting)
            {
                MongoLog.ChangeStreamOpened(connection.Logger);
            }

            _wakeUp = MongoOutboxWakeUp.ChangeStream;
            signal(null);   // what was committed while no stream was open
            while (await connection.RunToAnswerAsync("read a change stream", stream.MoveNextAsync, cancellationToken).ConfigureAwait(false))
            {
                foreach (var bucket in Hear(stream.Current))
                {
                    signal(bucket);
                }

                if (IsSilent())
                {
                    return "it told nothing of messages that were committed.";
                }
            }

            return "the server ended it.";
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested && error is StoreUnavailableException or OperationCanceledException)
        {
            return error.Message;
        }
        finally
        {
            Forget();
        }
    }

    // The buckets that have something to send; null: unknown ones.
    private HashSet<int?> Hear(IEnumerable<BsonDocument> events)
    {
        var heard = 0L;
        var buckets = new HashSet<int?>();
        foreach (var one in events)
        {
            if (one["operationType"] == "insert")
            {
                heard = Math.Max(heard, one["fullDocument"][MongoOutboxRows.Sequence].ToInt64());
                buckets.Add(one["fullDocument"][MongoOutboxRows.Bucket].ToInt32());
            }
            else
            {
                buckets.Add(null);
            }
        }

        lock (_lock)
        {
            _heard = Math.Max(_heard, heard);
            _expected = _expected is { } expected && expected.Sequence > _heard ? expected : null;
        }

        return buckets;
    }

    private bool IsSilent()
    {
        lock (_lock)
        {
            return _expected is { } expected && time.GetElapsedTime(expected.ReadAt) >= Silence;
        }
    }

    private void Forget()
    {
        lock (_lock)
        {
            (_heard, _expected) = (long.MaxValue, null);
        }
    }
}
