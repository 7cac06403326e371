using MongoDB.Bson;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo;

/// <summary>Creates or checks the indexes of a collection. Idempotent.</summary>
internal static class MongoIndexes
{
    private const int NamespaceExists = 48;

    /// <summary>Sees to the index by which documents expire; a changed time is applied to the index that is there.</summary>
    /// <exception cref="KafkaConfigurationException">It is missing and may not be created, or an index of that name or key is something else.</exception>
    public static async Task EnsureExpiryAsync(MongoConnection connection, string collection, string field, TimeSpan after, CancellationToken cancellationToken)
    {
        var name = $"{field.TrimStart('_')}_ttl";
        var seconds = (long)after.TotalSeconds;
        var found = await FindAsync(connection, collection, field, cancellationToken).ConfigureAwait(false);
        if (found is null && connection.Options.CreateIndexes)
        {
            await CreateCollectionAsync(connection, collection, cancellationToken).ConfigureAwait(false);
            var model = new CreateIndexModel<BsonDocument>(
                new BsonDocumentIndexKeysDefinition<BsonDocument>(new BsonDocument(field, 1)),
                    new CreateIndexOptions { Name = name, ExpireAfter = TimeSpan.FromSeconds(seconds) });
            await connection.RunAsync(
                $"create index '{name}' of collection '{collection}'",
                    token => connection.Collection<BsonDocument>(collection).Indexes.CreateOneAsync(model, cancellationToken: token), cancellationToken)
                .ConfigureAwait(false);
            return;
        }

        if (found is null || !found.TryGetValue("expireAfterSeconds", out var current))
        {
            throw new KafkaConfigurationException([
                $"collection '{collection}' of MongoDB database '{connection.Database.DatabaseNamespace.DatabaseName}' "
                    + $"has {(found is null ? "no index" : "an index without expireAfterSeconds")} on {field}: create "
                + $"db.{collection}.createIndex({{ {field}: 1 }}, {{ name: \"{name}\", expireAfterSeconds: {seconds} "
                    + $"}}){(found is null ? ", or set MongoOptions.CreateIndexes = true" : " after dropping that one")}.",
            ]);
        }

        if (current.ToInt64() == seconds)
        {
            return;
        }

        if (!connection.Options.CreateIndexes)
        {
            throw new KafkaConfigurationException([
                $"documents of collection '{collection}' expire after {current} s and should after {seconds} s: apply it with collMod, or set "
                    + $"MongoOptions.CreateIndexes = true.",
            ]);
        }

        var change = new BsonDocument { { "collMod", collection },
            { "index", new BsonDocument { { "keyPattern", new BsonDocument(field, 1) }, { "expireAfterSeconds", seconds } } } };
        await connection.RunAsync($"change the expiry of collection '{collection}'",
            token => connection.Database.RunCommandAsync<BsonDocument>(change, cancellationToken: token), cancellationToken)
            .ConfigureAwait(false);
        MongoLog.ExpiryChanged(connection.Logger, collection, found["name"].AsString, seconds);
    }

    /// <summary>A transaction should not have to create its collection.</summary>
    public static Task CreateCollectionAsync(MongoConnection connection, string collection, CancellationToken cancellationToken) => connection.RunAsync(
        $"create collection '{collection}'",
        async token =>
        {
            try
            {
                await connection.Database.CreateCollectionAsync(collection, cancellationToken: token).ConfigureAwait(false);
            }
            catch (MongoCommandException error) when (error.Code is NamespaceExists)
            {
                // Another member, or an earlier run.
            }
        },
        cancellationToken);

    private static async Task<BsonDocument?> FindAsync(MongoConnection connection, string collection, string field, CancellationToken cancellationToken)
    {
        var indexes = await connection.RunAsync(
            $"list the indexes of collection '{collection}'",
            async token =>
            {
                using var cursor = await connection.Collection<BsonDocument>(collection).Indexes.ListAsync(token).ConfigureAwait(false);
                return await cursor.ToListAsync(token).ConfigureAwait(false);
            },
            cancellationToken).ConfigureAwait(false);
        return indexes.Find(index => index["key"].AsBsonDocument is { ElementCount: 1 } key && key.Contains(field));
    }
}
