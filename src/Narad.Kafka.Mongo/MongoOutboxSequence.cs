using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>
/// Numbers for the rows of the outbox. A number is higher than each that was handed out, in any process, before it was asked for. Thread-safe.
/// </summary>
/// <remarks>
/// One counter for all buckets, incremented outside of the application's transaction: inside, all transactions that enqueue would conflict. Callers that ask
/// while a request is on its way share the next one, so a process has one at a time. Numbers are never reserved ahead: another process would then hand out
/// higher ones first. Acknowledged by the majority, so that no new primary hands out a number again. A counter that is lost begins at the server's time in
/// microseconds, which is above every number that was handed out.
/// </remarks>
internal sealed class MongoOutboxSequence(MongoConnection connection, Func<IMongoCollection<BsonDocument>> state)
{
    private const string Id = "sequence";
    private const string Value = "value";
    private const string At = "at";

    // Counters begin above it: microseconds since 1970, of the year 2001.
    private const long Least = 1_000_000_000_000_000;

    private readonly Lock _lock = new();
    private List<Request> _waiting = [];
    private bool _asking;

    /// <summary>Takes consecutive numbers.</summary>
    /// <param name="count">How many.</param>
    /// <param name="cancellationToken">Ends the waiting; the numbers are then not used.</param>
    /// <returns>The first of them, and the server's time.</returns>
    /// <exception cref="StoreUnavailableException">The server did not answer.</exception>
    public Task<(long First, DateTime Now)> TakeAsync(int count, CancellationToken cancellationToken)
    {
        var request = new Request(count);
        lock (_lock)
        {
            _waiting.Add(request);
            if (!_asking)
            {
                _asking = true;
                _ = AskAsync();
            }
        }

        return request.Numbers.Task.WaitAsync(cancellationToken);
    }

    /// <summary>The highest number that was handed out; 0: none.</summary>
    public Task<long> ReadAsync(CancellationToken cancellationToken) => connection.RunToAnswerAsync(
        "read the counter of the outbox",
        async token =>
        {
            using var cursor = await state().FindAsync(new BsonDocument("_id", Id), cancellationToken: token).ConfigureAwait(false);
            return await cursor.FirstOrDefaultAsync(token).ConfigureAwait(false) is { } counter ? counter[Value].ToInt64() : 0;
        },
        cancellationToken);

    // Runs while somebody waits; ends under the lock, so that no request is left behind.
    private async Task AskAsync()
    {
        await Task.Yield();
        while (true)
        {
            List<Request> requests;
            lock (_lock)
            {
                if (_waiting.Count == 0)
                {
                    _asking = false;
                    return;
                }

                (requests, _waiting) = (_waiting, []);
            }

            try
            {
                var counter = await IncrementAsync(requests.Sum(static request => request.Count)).ConfigureAwait(false);
                var now = counter[At].ToUniversalTime();
                var next = counter[Value].ToInt64() - requests.Sum(static request => (long)request.Count) + 1;
                foreach (var request in requests)
                {
                    request.Numbers.SetResult((next, now));
                    next += request.Count;
                }
            }
            catch (Exception error)
            {
                foreach (var request in requests)
                {
                    request.Numbers.TrySetException(error);
                    _ = request.Numbers.Task.Exception;   // nobody may be waiting any more
                }
            }
        }
    }

    private async Task<BsonDocument> IncrementAsync(long count)
    {
        while (true)
        {
            var update = Builders<BsonDocument>.Update.Inc(Value, count).CurrentDate(At);
            var counter = await UpdateAsync(update).ConfigureAwait(false);
            if (counter[Value].ToInt64() >= Least)
            {
                return counter;
            }

            // It is new, or was lost.
            var now = new DateTimeOffset(counter[At].ToUniversalTime()).ToUnixTimeMilliseconds() * 1_000;
            await UpdateAsync(Builders<BsonDocument>.Update.Max(Value, Math.Max(Least, now))).ConfigureAwait(false);
        }
    }

    private Task<BsonDocument> UpdateAsync(UpdateDefinition<BsonDocument> update) => connection.RunToAnswerAsync(
        "number messages of the outbox",
        token => state().FindOneAndUpdateAsync<BsonDocument>(new BsonDocument("_id", Id), update,
            new FindOneAndUpdateOptions<BsonDocument> { IsUpsert = true, ReturnDocument = ReturnDocument.After }, token),
        CancellationToken.None);

    private sealed record Request(int Count)
    {
        public TaskCompletionSource<(long First, DateTime Now)> Numbers { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
