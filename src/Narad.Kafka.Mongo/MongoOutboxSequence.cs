using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>
/// Numbers for the rows of the outbox. A number is higher than each that was handed out, in any process, before it was asked for. Thread-safe.
/// </summary>
/// <remarks>
/// One counter for all buckets, incremented outside of the application's transaction: inside, all transactions that enqueue would conflict. Callers that ask
/// while a request is on its way share the next one. Numbers are never reserved ahead: another process would then hand out higher ones first. Before a row
/// counts, the majority has the counter, so that no new primary hands out its number again. A counter that is lost begins at the server's time in
/// microseconds, which is above every number that was handed out.
/// </remarks>
internal sealed class MongoOutboxSequence
{
    private const string Id = "sequence";
    private const string Value = "value";
    private const string At = "at";

    // Counters begin above it: microseconds since 1970, of the year 2001.
    private const long Least = 1_000_000_000_000_000;

    private readonly MongoConnection _connection;
    private readonly Func<IMongoCollection<BsonDocument>> _state;
    private readonly SharedRequest<int, (long First, DateTime Now)> _durable;
    private readonly SharedRequest<int, (long First, DateTime Now)> _others;

    public MongoOutboxSequence(MongoConnection connection, Func<IMongoCollection<BsonDocument>> state)
    {
        _connection = connection;
        _state = state;
        _durable = new SharedRequest<int, (long First, DateTime Now)>(counts => TakeAsync(counts, WriteConcern.WMajority));
        _others = new SharedRequest<int, (long First, DateTime Now)>(counts => TakeAsync(counts, WriteConcern.W1));
    }

    /// <summary>Takes consecutive numbers.</summary>
    /// <param name="count">How many.</param>
    /// <param name="isDurable">Whether the majority has to have the counter now. Else something that is written later, and waits for the majority, has to
    /// include it.</param>
    /// <param name="cancellationToken">Ends the waiting; the numbers are then not used.</param>
    /// <returns>The first of them, and the server's time.</returns>
    /// <exception cref="StoreUnavailableException">The server did not answer.</exception>
    public Task<(long First, DateTime Now)> TakeAsync(int count, bool isDurable, CancellationToken cancellationToken) =>
        (isDurable ? _durable : _others).CallAsync(count, cancellationToken);

    /// <summary>The highest number that was handed out; 0: none.</summary>
    public Task<long> ReadAsync(CancellationToken cancellationToken) => _connection.RunToAnswerAsync(
        "read the counter of the outbox",
        async token =>
        {
            using var cursor = await _state().FindAsync(new BsonDocument("_id", Id), cancellationToken: token).ConfigureAwait(false);
            return await cursor.FirstOrDefaultAsync(token).ConfigureAwait(false) is { } counter ? counter[Value].ToInt64() : 0;
        },
        cancellationToken);

    private async Task<IReadOnlyList<(long First, DateTime Now)>> TakeAsync(IReadOnlyList<int> counts, WriteConcern concern)
    {
        var sum = counts.Sum(static count => (long)count);
        var counter = await IncrementAsync(sum, concern).ConfigureAwait(false);
        var now = counter[At].ToUniversalTime();
        var next = counter[Value].ToInt64() - sum + 1;
        var taken = new List<(long First, DateTime Now)>();
        foreach (var count in counts)
        {
            taken.Add((next, now));
            next += count;
        }

        return taken;
    }

    private async Task<BsonDocument> IncrementAsync(long count, WriteConcern concern)
    {
        while (true)
        {
            var update = Builders<BsonDocument>.Update.Inc(Value, count).CurrentDate(At);
            var counter = await UpdateAsync(update, concern).ConfigureAwait(false);
            if (counter[Value].ToInt64() >= Least)
            {
                return counter;
            }

            // It is new, or was lost.
            var now = new DateTimeOffset(counter[At].ToUniversalTime()).ToUnixTimeMilliseconds() * 1_000;
            await UpdateAsync(Builders<BsonDocument>.Update.Max(Value, Math.Max(Least, now)), WriteConcern.WMajority).ConfigureAwait(false);
        }
    }

    private Task<BsonDocument> UpdateAsync(UpdateDefinition<BsonDocument> update, WriteConcern concern) => _connection.RunToAnswerAsync(
        "number messages of the outbox",
        token => _state().WithWriteConcern(concern).FindOneAndUpdateAsync<BsonDocument>(new BsonDocument("_id", Id), update,
            new FindOneAndUpdateOptions<BsonDocument> { IsUpsert = true, ReturnDocument = ReturnDocument.After }, token),
        CancellationToken.None);
}
