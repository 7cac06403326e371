using System.Collections.Concurrent;
using MongoDB.Bson;
using MongoDB.Driver;
using static Narad.Kafka.Mongo.MongoServerClock;

namespace Narad.Kafka.Mongo;

/// <summary>
/// The inbox without transactions: a row is claimed, the handler runs, the row is marked as handled. A claim expires by the server's clock, so that the
/// message of a dead process is handled again.
/// Thread-safe.
/// </summary>
internal sealed class MongoInboxClaims(MongoInbox inbox, MongoConnection connection, TimeProvider time)
{
    private static readonly TimeSpan BusyRetry = TimeSpan.FromMilliseconds(200);

    // A claim of ours whose handler does not run any more (an answer was lost) is taken again at once.
    private readonly string _owner = Guid.NewGuid().ToString("N");
    private readonly ConcurrentDictionary<(string Group, string Topic, string Id), byte> _running = new();

    public async Task<InboxResult> HandleAsync(InboxMessage message, Func<object?, CancellationToken, Task> handler, CancellationToken cancellationToken)
    {
        var key = (message.Group, message.Topic, message.Id);
        if (!_running.TryAdd(key, 0))
        {
            return InboxResult.Busy(BusyRetry);
        }

        try
        {
            var row = await ClaimAsync(message, cancellationToken).ConfigureAwait(false);
            if (row["state"] == "handled")
            {
                return MongoInbox.Found(message, row);
            }

            if (row["owner"] != _owner)
            {
                return InboxResult.Busy(BusyRetry);
            }

            await RunAsync(message, handler, cancellationToken).ConfigureAwait(false);
            await FinishAsync(message, cancellationToken).ConfigureAwait(false);
            return InboxResult.Handled;
        }
        finally
        {
            _running.TryRemove(key, out _);
        }
    }

    /// <summary>Removes the claim of a message if it has expired.</summary>
    public Task RemoveExpiredAsync(InboxMessage message, CancellationToken cancellationToken) => connection.RunAsync(
        "remove an expired claim",
        token => inbox.Rows.DeleteOneAsync(
            new BsonDocument
            {
                { "_id", MongoInbox.IdOf(message) },
                { "state", "claimed" },
                { "$expr", new BsonDocument("$lt", new BsonArray { "$leaseUntil", Now }) },
            },
            token),
        cancellationToken);

    private async Task RunAsync(InboxMessage message, Func<object?, CancellationToken, Task> handler, CancellationToken cancellationToken)
    {
        using var handled = new CancellationTokenSource();
        var keeping = KeepAsync(message, handled.Token);
        try
        {
            await handler(null, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await handled.CancelAsync().ConfigureAwait(false);
            await keeping.ConfigureAwait(false);
            await ReleaseAsync(message).ConfigureAwait(false);
            throw;
        }

        await handled.CancelAsync().ConfigureAwait(false);
        await keeping.ConfigureAwait(false);
    }

    // One round trip, and one update of one document, so that of two that claim at once one wins.
    private async Task<BsonDocument> ClaimAsync(InboxMessage message, CancellationToken cancellationToken)
    {
        var isFree = new BsonDocument("$or", new BsonArray
        {
            new BsonDocument("$eq", new BsonArray { new BsonDocument("$type", "$state"), "missing" }),
            new BsonDocument("$and", new BsonArray
            {
                new BsonDocument("$eq", new BsonArray { "$state", "claimed" }),
                new BsonDocument("$or", new BsonArray
                {
                    new BsonDocument("$eq", new BsonArray { "$owner", _owner }),
                    new BsonDocument("$lt", new BsonArray { "$leaseUntil", Now }),
                }),
            }),
        });
        BsonDocument Set(string field, BsonValue value) => new("$cond", new BsonArray { isFree, value, $"${field}" });
        var update = new BsonDocument("$set", new BsonDocument
        {
            { "state", Set("state", "claimed") },
            { "owner", Set("owner", _owner) },
            { "partition", Set("partition", message.Coordinates.Partition) },
            { "offset", Set("offset", message.Coordinates.Offset) },
            { "leaseUntil", Set("leaseUntil", After(connection.Options.ClaimDuration)) },
            { "expireAt", Set("expireAt", After(message.Retention)) },
        });
        var options = new FindOneAndUpdateOptions<BsonDocument> { IsUpsert = true, ReturnDocument = ReturnDocument.After };
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await connection.RunAsync(
                    "claim a message",
                    token => inbox.Rows.FindOneAndUpdateAsync(new BsonDocument("_id", MongoInbox.IdOf(message)), Update(update), options, token),
                    cancellationToken).ConfigureAwait(false);
            }
            catch (MongoException error) when (attempt < 5 && MongoErrors.IsDuplicateId(error))
            {
                // Two inserted at once; this one finds the other's row now.
            }
        }
    }

    private async Task FinishAsync(InboxMessage message, CancellationToken cancellationToken)
    {
        var update = Update(
            new BsonDocument("$set", new BsonDocument { { "state", "handled" }, { "handledAt", Now }, { "expireAt", After(message.Retention) } }),
            new BsonDocument("$unset", "leaseUntil"));
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                // Not cancelled with the handler: it has done its work, and would do it again.
                await connection.RunAsync("note a handled message", token => inbox.Rows.UpdateOneAsync(Mine(message), update, cancellationToken: token),
                    CancellationToken.None).ConfigureAwait(false);
                return;
            }
            catch (StoreUnavailableException outage) when (!cancellationToken.IsCancellationRequested)
            {
                var wait = MongoInbox.Wait(attempt);
                MongoLog.NotNoted(connection.Logger, message.Id, message.Group, outage.Message, wait);
                await Task.Delay(wait, time, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    // Where it fails, the claim is ours to take again, or expires.
    private async Task ReleaseAsync(InboxMessage message)
    {
        try
        {
            await connection.RunAsync("release a claim", token => inbox.Rows.DeleteOneAsync(Mine(message), token), CancellationToken.None)
                .ConfigureAwait(false);
        }
        catch (Exception error) when (error is StoreUnavailableException or MongoException)
        {
            MongoLog.ClaimNotKept(connection.Logger, message.Id, message.Group);
        }
    }

    private async Task KeepAsync(InboxMessage message, CancellationToken handled)
    {
        using var timer = new PeriodicTimer(connection.Options.ClaimDuration / 3, time);
        try
        {
            while (await timer.WaitForNextTickAsync(handled).ConfigureAwait(false))
            {
                try
                {
                    var kept = await connection.RunAsync(
                        "keep a claim",
                        token => inbox.Rows.UpdateOneAsync(Mine(message),
                            Update(new BsonDocument("$set", new BsonDocument("leaseUntil", After(connection.Options.ClaimDuration)))),
                                cancellationToken: token),
                        handled).ConfigureAwait(false);
                    if (kept.MatchedCount == 0)
                    {
                        MongoLog.ClaimNotKept(connection.Logger, message.Id, message.Group);
                    }
                }
                catch (Exception error) when (error is StoreUnavailableException or MongoException)
                {
                    MongoLog.ClaimNotKept(connection.Logger, message.Id, message.Group);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The handler returned.
        }
    }

    private BsonDocument Mine(InboxMessage message) => new() { { "_id", MongoInbox.IdOf(message) }, { "state", "claimed" }, { "owner", _owner } };
}
