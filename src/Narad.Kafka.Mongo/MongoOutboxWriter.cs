using MongoDB.Bson;
using MongoDB.Driver;
using MongoDB.Driver.Core.Bindings;

namespace Narad.Kafka.Mongo;

/// <summary>Writes messages to the outbox: in a transaction of the application, or by themselves. Thread-safe.</summary>
internal sealed class MongoOutboxWriter(MongoConnection connection, Func<IMongoCollection<BsonDocument>> collection, MongoOutboxSequence sequence)
{
    private const string Action = "write to the outbox";

    /// <summary>Writes messages by themselves, all or none of them where the server has transactions.</summary>
    public async Task WriteAsync(IReadOnlyList<OutboxMessage> messages, CancellationToken cancellationToken)
    {
        var rows = Create(messages, await sequence.TakeAsync(messages.Count, isDurable: true, cancellationToken).ConfigureAwait(false));
        if (rows.Count == 1)
        {
            await connection.RunAsync(Action, token => collection().InsertOneAsync(rows[0], cancellationToken: token), cancellationToken)
                .ConfigureAwait(false);
        }
        else if ((await connection.DescribeAsync(cancellationToken).ConfigureAwait(false)).HasTransactions)
        {
            await InsertAllOrNoneAsync(rows, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await connection.RunAsync(Action, token => collection().InsertManyAsync(rows, cancellationToken: token), cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>Writes messages in a transaction of the application.</summary>
    public async Task WriteAsync(IClientSessionHandle transaction, IReadOnlyList<OutboxMessage> messages, CancellationToken cancellationToken)
    {
        if (transaction.WrappedCoreSession.CurrentTransaction is { State: CoreTransactionState.Starting })
        {
            // The snapshot is taken by the first operation, and has to be older than the numbers: of two transactions that conflict, the one that
            // commits later then has the higher ones.
            await connection.RunAsync(
                "begin a transaction",
                async token =>
                {
                    using var cursor = await collection().FindAsync(transaction, new BsonDocument("_id", messages[0].Id), cancellationToken: token)
                        .ConfigureAwait(false);
                    await cursor.AnyAsync(token).ConfigureAwait(false);
                },
                cancellationToken).ConfigureAwait(false);
        }

        var isDurable = !await IsCounterWithCommitAsync(transaction, cancellationToken).ConfigureAwait(false);
        var rows = Create(messages, await sequence.TakeAsync(messages.Count, isDurable, cancellationToken).ConfigureAwait(false));
        await connection.RunAsync(Action, token => collection().InsertManyAsync(transaction, rows, cancellationToken: token), cancellationToken)
            .ConfigureAwait(false);
    }

    // Whether the majority that has the commit has the counter too. A transaction begins and commits on one primary, or is aborted; the counter is
    // incremented in between, on the same one, as the same client never goes back to an earlier primary; and a member has all that comes before what it has.
    private async Task<bool> IsCounterWithCommitAsync(IClientSessionHandle transaction, CancellationToken cancellationToken) =>
        ReferenceEquals(transaction.Client, connection.Database.Client)
            && (await connection.DescribeAsync(cancellationToken).ConfigureAwait(false)).Topology is MongoTopology.ReplicaSet;

    private static List<BsonDocument> Create(IReadOnlyList<OutboxMessage> messages, (long First, DateTime Now) numbers) =>
        [.. messages.Select((message, i) => MongoOutboxRows.Create(message, numbers.First + i, numbers.Now))];

    private async Task InsertAllOrNoneAsync(List<BsonDocument> rows, CancellationToken cancellationToken)
    {
        using var session = await connection.RunAsync("start a session", token => connection.Database.Client.StartSessionAsync(cancellationToken: token),
            cancellationToken).ConfigureAwait(false);
        await connection.RunToAnswerAsync(
            Action,
            token => session.WithTransactionAsync(
                async (transaction, stop) =>
                {
                    await collection().InsertManyAsync(transaction, rows, cancellationToken: stop).ConfigureAwait(false);
                    return true;
                },
                new TransactionOptions(writeConcern: WriteConcern.WMajority),
                token),
            cancellationToken).ConfigureAwait(false);
    }
}
