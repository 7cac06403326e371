using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>
/// An inbox in MongoDB. Where the server has transactions, the handler's writes and the inbox row commit in one; otherwise a claim guards the message while
/// its handler runs. Thread-safe.
/// </summary>
/// <remarks>
/// A row: <c>{ _id: { group, topic, id }, state: "handled" | "claimed", owner, partition, offset, handledAt, leaseUntil, expireAt }</c>. Rows expire at
/// <c>expireAt</c>.
/// </remarks>
internal sealed class MongoInbox : IInbox
{
    private const string Handled = "handled";
    private const string Claimed = "claimed";
    private const string ExpireAt = "expireAt";

    private static readonly TimeSpan BusyRetry = TimeSpan.FromMilliseconds(200);

    private readonly MongoConnection _connection;
    private readonly TimeProvider _time;
    private volatile bool _usesTransactions;

    public MongoInbox(MongoConnection connection, TimeProvider time)
    {
        _connection = connection;
        _time = time;
        Claims = new MongoInboxClaims(this, connection, time);
    }

    public IMongoCollection<BsonDocument> Rows => _connection.Collection<BsonDocument>(_connection.Options.InboxCollection);

    private MongoInboxClaims Claims { get; }

    public async Task<InboxGuarantee> StartAsync(InboxSubscription subscription, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        var options = _connection.Options;
        var description = await _connection.DescribeAsync(cancellationToken).ConfigureAwait(false);
        var usesTransactions = options.UseTransactions ?? description.HasTransactions;
        if (usesTransactions && !description.HasTransactions)
        {
            throw new KafkaConfigurationException([
                "MongoOptions.UseTransactions = true, and the server is a standalone one, which has no transactions. Connect to a replica set (one member is "
                    + "enough: start it with --replSet and call rs.initiate()), or leave UseTransactions out.",
            ]);
        }

        if (usesTransactions && subscription.HandlerTimeout >= options.TransactionLifetime)
        {
            throw new KafkaConfigurationException([
                $"the subscription to '{subscription.Topic}' sets Timeout = {subscription.HandlerTimeout:c}, and a MongoDB transaction "
                    + $"lives {options.TransactionLifetime:c} (MongoOptions.TransactionLifetime): the server would abort it "
                + "while the handler runs. Set a shorter Timeout, or raise transactionLifetimeLimitSeconds on the server and TransactionLifetime here.",
            ]);
        }

        await MongoIndexes.EnsureExpiryAsync(_connection, options.InboxCollection, ExpireAt, TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
        _usesTransactions = usesTransactions;
        return usesTransactions ? InboxGuarantee.Transactional : InboxGuarantee.AtLeastOnce;
    }

    public async Task<InboxResult> HandleAsync(InboxMessage message, Func<object?, CancellationToken, Task> handler, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(handler);
        try
        {
            return _usesTransactions
                ? await HandleInTransactionAsync(message, handler, cancellationToken).ConfigureAwait(false)
                : await Claims.HandleAsync(message, handler, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested && error is not StoreUnavailableException
            && MongoErrors.OutageOf(error, "handle a message") is not null)
        {
            throw MongoErrors.OutageOf(error, "handle a message")!;
        }
    }

    public static BsonDocument IdOf(InboxMessage message) => new() { { "group", message.Group }, { "topic", message.Topic }, { "id", message.Id } };

    /// <summary>The row of a message; null where there is none.</summary>
    public async Task<BsonDocument?> FindAsync(InboxMessage message, CancellationToken cancellationToken) => await _connection.RunAsync(
        "read the inbox",
        async token =>
        {
            using var cursor = await Rows.WithReadConcern(ReadConcern.Majority).FindAsync(new BsonDocument("_id", IdOf(message)), cancellationToken: token)
                .ConfigureAwait(false);
            return await cursor.FirstOrDefaultAsync(token).ConfigureAwait(false);
        },
        cancellationToken).ConfigureAwait(false);

    public static InboxResult Found(InboxMessage message, BsonDocument row) =>
        InboxResult.AlreadyHandled(new TopicPartitionOffsetId(message.Topic, row.GetValue("partition", -1).ToInt32(), row.GetValue("offset", -1L).ToInt64()));

    private async Task<InboxResult> HandleInTransactionAsync(InboxMessage message, Func<object?, CancellationToken, Task> handler,
        CancellationToken cancellationToken)
    {
        // Whose row it is tells, after a commit whose answer was lost, that it was ours.
        var owner = Guid.NewGuid().ToString("N");
        var started = _time.GetTimestamp();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await TryInTransactionAsync(message, owner, handler, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error) when (MongoErrors.IsTransient(error) && !cancellationToken.IsCancellationRequested
                && _time.GetElapsedTime(started) < _connection.Options.TransactionRetryTimeout)
            {
                MongoLog.TransactionRepeated(_connection.Logger, message.Id, message.Group, attempt, error.GetType().Name);
            }

            await Task.Delay(Wait(attempt), _time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<InboxResult> TryInTransactionAsync(InboxMessage message, string owner, Func<object?, CancellationToken, Task> handler,
        CancellationToken cancellationToken)
    {
        using var session = await _connection.RunAsync("start a session", token => _connection.Database.Client.StartSessionAsync(cancellationToken: token),
            cancellationToken).ConfigureAwait(false);
        session.StartTransaction(new TransactionOptions(ReadConcern.Snapshot, ReadPreference.Primary, WriteConcern.WMajority,
            maxCommitTime: _connection.Options.OperationTimeout));
        try
        {
            try
            {
                var row = NewRow(message, owner);
                await _connection.RunAsync("write to the inbox", token => Rows.InsertOneAsync(session, row, cancellationToken: token), cancellationToken)
                    .ConfigureAwait(false);
            }
            catch (MongoException error) when (MongoErrors.IsDuplicateId(error))
            {
                await AbortAsync(session).ConfigureAwait(false);
                return await ExplainDuplicateAsync(message, owner, cancellationToken).ConfigureAwait(false);
            }
            catch (MongoException error) when (MongoErrors.IsWriteConflict(error))
            {
                // Another one handles it now.
                await AbortAsync(session).ConfigureAwait(false);
                return InboxResult.Busy(BusyRetry);
            }

            await RunHandlerAsync(session, message, handler, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await AbortAsync(session).ConfigureAwait(false);
            throw;
        }

        await CommitAsync(session, message, cancellationToken).ConfigureAwait(false);
        return InboxResult.Handled;
    }

    private async Task RunHandlerAsync(IClientSessionHandle session, InboxMessage message, Func<object?, CancellationToken, Task> handler,
        CancellationToken cancellationToken)
    {
        var lifetime = _connection.Options.TransactionLifetime;
        var limit = TimeSpan.FromTicks(Math.Max(lifetime.Ticks * 9 / 10, (lifetime - TimeSpan.FromSeconds(5)).Ticks));
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(limit);
        MongoSessionScope.Set(session);
        try
        {
            await handler(session, limited.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException error) when (limited.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException(
                $"The handler of message {message.Id} took longer than a transaction may live: {limit:c} (MongoOptions.TransactionLifetime is {lifetime:c}). "
                    + $"Set a Timeout, or raise both the server's limit and this one.", error);
        }
        finally
        {
            MongoSessionScope.Set(null);
        }
    }

    // Completes when the transaction is committed. Throws a transient error where it is known not to be, or the server forgot it: then the row decides.
    private async Task CommitAsync(IClientSessionHandle session, InboxMessage message, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            string reason;
            Exception failure;
            try
            {
                // Not cancelled with the handler: the outcome would be unknown.
                await _connection.RunAsync("commit a transaction", token => session.CommitTransactionAsync(token), CancellationToken.None)
                    .ConfigureAwait(false);
                return;
            }
            catch (MongoException error) when (MongoErrors.IsTransient(error) && !MongoErrors.HasLabel(error, MongoErrors.UnknownCommit))
            {
                throw;
            }
            catch (Exception error) when (error is StoreUnavailableException || MongoErrors.HasLabel(error, MongoErrors.UnknownCommit))
            {
                (reason, failure) = (error.Message, error);
            }

            if (cancellationToken.IsCancellationRequested)
            {
                throw new StoreUnavailableException($"Whether the transaction of message {message.Id} was committed is not known. The message is delivered "
                    + $"again, and the inbox decides.", failure);
            }

            var wait = Wait(attempt);
            MongoLog.CommitUnknown(_connection.Logger, message.Id, message.Group, reason, wait);
            await Task.Delay(wait, _time, CancellationToken.None).ConfigureAwait(false);
        }
    }

    // The id is there.
    private async Task<InboxResult> ExplainDuplicateAsync(InboxMessage message, string owner, CancellationToken cancellationToken)
    {
        if (await FindAsync(message, cancellationToken).ConfigureAwait(false) is not { } row)
        {
            return InboxResult.Busy(BusyRetry);   // it expired meanwhile
        }

        if (row.GetValue("owner", "") == owner)
        {
            return InboxResult.Handled;   // our own commit, whose answer was lost
        }

        if (row.GetValue("state", Handled) != Claimed)
        {
            return Found(message, row);
        }

        // A claim of the time when this was no replica set.
        await Claims.RemoveExpiredAsync(message, cancellationToken).ConfigureAwait(false);
        return InboxResult.Busy(BusyRetry);
    }

    private BsonDocument NewRow(InboxMessage message, string owner)
    {
        var now = _time.GetUtcNow();
        return new BsonDocument
        {
            { "_id", IdOf(message) },
            { "state", Handled },
            { "owner", owner },
            { "partition", message.Coordinates.Partition },
            { "offset", message.Coordinates.Offset },
            { "handledAt", now.UtcDateTime },
            { ExpireAt, (now + message.Retention).UtcDateTime },
        };
    }

    // The server aborts by itself what nobody commits.
    private async Task AbortAsync(IClientSessionHandle session)
    {
        if (!session.IsInTransaction)
        {
            return;
        }

        try
        {
            using var limit = new CancellationTokenSource(_connection.Options.OperationTimeout);
            await session.AbortTransactionAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is MongoException or TimeoutException or OperationCanceledException or InvalidOperationException)
        {
            // See above.
        }
    }

    // 20 ms, 40 ms … 5 s, up to half of it shorter so that two do not meet again.
    internal static TimeSpan Wait(int attempt) => TimeSpan.FromMilliseconds(
        Math.Min(5_000, 20 * Math.Pow(2, Math.Min(attempt, 10))) * (1 - (Random.Shared.NextDouble() / 2)));
}
