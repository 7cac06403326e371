using System.Text.Json;
using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>Writes messages into a collection in bulk, unordered, each id once a bulk. Thread-safe.</summary>
internal sealed class MongoMessageStore(MongoConnection connection, TimeProvider time, JsonSerializerOptions? json) : IMessageStore
{
    private const string StoredAt = "_storedAt";
    private const int MostDocumentBytes = 16 * 1024 * 1024;

    // Racing writers of one id may refuse each other once; more often than this it is no race.
    private const int MostRounds = 10;

    private readonly MongoDocuments _documents = new(json);

    public async Task StartAsync(MessageStoreTarget target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(target);
        await connection.DescribeAsync(cancellationToken).ConfigureAwait(false);
        if (target.Retention is { } retention)
        {
            await MongoIndexes.EnsureExpiryAsync(connection, target.Collection, StoredAt, retention, cancellationToken).ConfigureAwait(false);
        }
    }

    public async Task<IReadOnlyList<Exception?>> WriteAsync(MessageStoreTarget target, IReadOnlyList<StoredMessage> messages,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(messages);
        var results = new Exception?[messages.Count];
        var winners = new Dictionary<BsonValue, Entry>(messages.Count);
        for (var i = 0; i < messages.Count; i++)
        {
            try
            {
                var document = DocumentOf(target, messages[i]);
                Add(winners, target.WriteMode, new Entry(document, messages[i].Version, i));
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                results[i] = new DeadLetterException($"The message cannot be stored in collection '{target.Collection}': {error.Message}", error);
            }
        }

        // Sorted: two writers of the same ids take their locks in the same order.
        var open = winners.Values.OrderBy(static entry => entry.Id).ToList();
        for (var round = 1; open.Count > 0; round++)
        {
            open = await WriteOnceAsync(target, open, results, isLast: round == MostRounds, cancellationToken).ConfigureAwait(false);
        }

        return results;
    }

    // Insert if absent: the first one counts. Replace: the last one. Replace if newer: the highest version, of equal ones the first.
    private static void Add(Dictionary<BsonValue, Entry> winners, MessageWriteMode mode, Entry entry)
    {
        if (!winners.TryGetValue(entry.Id, out var known))
        {
            winners.Add(entry.Id, entry);
        }
        else if (mode is MessageWriteMode.Replace || (mode is MessageWriteMode.ReplaceIfNewer && entry.Version > known.Version))
        {
            winners[entry.Id] = entry with { Positions = [.. known.Positions, .. entry.Positions] };
        }
        else
        {
            winners[entry.Id] = known with { Positions = [.. known.Positions, .. entry.Positions] };
        }
    }

    /// <summary>Writes what is open; what another writer raced with stays open.</summary>
    private async Task<List<Entry>> WriteOnceAsync(MessageStoreTarget target, List<Entry> open, Exception?[] results, bool isLast,
        CancellationToken cancellationToken)
    {
        var collection = connection.Collection<RawBsonDocument>(target.Collection);
        var models = open.ConvertAll(entry => Model(target.WriteMode, entry));
        IReadOnlyList<BulkWriteError> errors;
        try
        {
            await connection.RunAsync(
                $"write to collection '{target.Collection}'",
                token => collection.BulkWriteAsync(models, new BulkWriteOptions { IsOrdered = false }, token),
                cancellationToken).ConfigureAwait(false);
            return [];
        }
        catch (MongoBulkWriteException error) when (error.WriteErrors.FirstOrDefault(MongoErrors.IsOutage) is { } outage)
        {
            throw new StoreUnavailableException($"MongoDB could not write to collection '{target.Collection}': the server answered with error {outage.Code}. "
                + $"This is tried again by itself.", error);
        }
        catch (MongoBulkWriteException error) when (error.WriteConcernError is null)
        {
            errors = error.WriteErrors;
        }
        catch (MongoException error)
        {
            // The command as a whole was refused, and not by an outage: each message alone finds out whether it is the cause.
            if (open.Count == 1)
            {
                Fail(open[0], error, results);
                return [];
            }

            foreach (var entry in open)
            {
                await WriteOnceAsync(target, [entry], results, isLast, cancellationToken).ConfigureAwait(false);
            }

            return [];
        }

        var racing = new List<Entry>();
        foreach (var error in errors)
        {
            var entry = open[error.Index];
            if (!MongoErrors.IsDuplicateId(error))
            {
                if (MongoErrors.IsRace(error) && !isLast)
                {
                    racing.Add(entry);
                }
                else
                {
                    Fail(entry, new InvalidOperationException($"MongoDB refused document {entry.Id} of collection '{target.Collection}' with "
                        + $"error {error.Code}: {error.Message}"), results);
                }
            }
            else if (target.WriteMode is not MessageWriteMode.InsertIfAbsent)
            {
                racing.Add(entry);
            }
        }

        var left = target.WriteMode is MessageWriteMode.ReplaceIfNewer && racing.Count > 0 ? await NewerThanStoredAsync(target, racing, cancellationToken)
            .ConfigureAwait(false) : racing;
        if (isLast)
        {
            left.ForEach(entry =>
                Fail(entry, new InvalidOperationException($"Document {entry.Id} of collection '{target.Collection}' is being written by others all the "
                    + $"time."), results));
            return [];
        }

        return left;
    }

    // An upsert whose filter did not match (a version that is not newer) tries to insert, and is refused as a duplicate: so is one that raced with another
    // writer.
    private async Task<List<Entry>> NewerThanStoredAsync(MessageStoreTarget target, List<Entry> entries, CancellationToken cancellationToken)
    {
        var versions = await connection.RunAsync(
            $"read collection '{target.Collection}'",
            async token =>
            {
                var filter = new BsonDocument("_id", new BsonDocument("$in", new BsonArray(entries.Select(static entry => entry.Id))));
                using var cursor = await connection.Collection<BsonDocument>(target.Collection)
                    .FindAsync(filter, new FindOptions<BsonDocument> { Projection = new BsonDocument(MongoDocuments.Version, 1) }, token).ConfigureAwait(false);
                return (await cursor.ToListAsync(token).ConfigureAwait(false))
                    .ToDictionary(static found => found["_id"], static found => found.GetValue(MongoDocuments.Version, BsonNull.Value));
            },
            cancellationToken).ConfigureAwait(false);
        return entries.FindAll(entry => !versions.TryGetValue(entry.Id, out var stored) || !stored.IsNumeric || stored.ToInt64() < entry.Version);
    }

    private static WriteModel<RawBsonDocument> Model(MessageWriteMode mode, Entry entry) => mode switch
    {
        MessageWriteMode.Replace => new ReplaceOneModel<RawBsonDocument>(new BsonDocument("_id", entry.Id), entry.Document) { IsUpsert = true },
        MessageWriteMode.ReplaceIfNewer => new ReplaceOneModel<RawBsonDocument>(
            new BsonDocument { { "_id", entry.Id }, { MongoDocuments.Version, new BsonDocument("$lt", entry.Version) } }, entry.Document) { IsUpsert = true },
        _ => new InsertOneModel<RawBsonDocument>(entry.Document),
    };

    private static void Fail(Entry entry, Exception error, Exception?[] results)
    {
        foreach (var position in entry.Positions)
        {
            results[position] = error;
        }
    }

    private RawBsonDocument DocumentOf(MessageStoreTarget target, StoredMessage message)
    {
        var document = message.Document switch
        {
            null => _documents.WithCoordinates(message),
            BsonDocument mapped => _documents.Mapped(mapped, message),
            var other => throw new NotSupportedException($"its DocumentSelector returned a {other.GetType().Name}; return a BsonDocument."),
        };
        if (target.WriteMode is MessageWriteMode.ReplaceIfNewer)
        {
            document[MongoDocuments.Version] = message.Version;
        }

        if (target.Retention is not null || message.Document is null)
        {
            document[StoredAt] = time.GetUtcNow().UtcDateTime;
        }

        var bytes = document.ToBson();
        return bytes.Length <= MostDocumentBytes
            ? new RawBsonDocument(bytes)
            : throw new FormatException(
                string.Create(System.Globalization.CultureInfo.InvariantCulture,
                    $"its document has {bytes.Length:N0} bytes, and MongoDB takes {MostDocumentBytes:N0}."));
    }

    /// <summary>One document of a bulk, and the messages that it stands for.</summary>
    private sealed record Entry(RawBsonDocument Document, long Version, IReadOnlyList<int> Positions)
    {
        public Entry(RawBsonDocument document, long version, int position)
            : this(document, version, [position])
        {
        }

        public BsonValue Id { get; } = Document["_id"];
    }
}
