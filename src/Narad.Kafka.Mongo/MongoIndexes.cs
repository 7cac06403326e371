using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using MongoDB.Bson.Serialization.Serializers;
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

    /// <summary>Sees to an index without expiry.</summary>
    /// <exception cref="KafkaConfigurationException">It is missing and may not be created, or an index of that name has other keys.</exception>
    public static async Task EnsureAsync(
        MongoConnection connection, string collection, CreateIndexModel<BsonDocument> index, CancellationToken cancellationToken)
    {
        var (name, keys, filter) = Describe(index);
        var indexes = await ListAsync(connection, collection, cancellationToken).ConfigureAwait(false);
        var found = indexes.Find(one => one["name"] == name);
        if (found is null && connection.Options.CreateIndexes)
        {
            await connection.RunAsync($"create index '{name}' of collection '{collection}'",
                token => connection.Collection<BsonDocument>(collection).Indexes.CreateOneAsync(index, cancellationToken: token), cancellationToken)
                .ConfigureAwait(false);
        }
        else if (found is null || found["key"] != keys || found.GetValue("partialFilterExpression", BsonNull.Value) != filter)
        {
            throw new KafkaConfigurationException([
                $"collection '{collection}' of MongoDB database '{connection.Database.DatabaseNamespace.DatabaseName}' has "
                    + $"{(found is null ? "no index" : "another index")} named '{name}': create db.{collection}.createIndex({keys}, {{ name: \"{name}\", "
                    + $"partialFilterExpression: {filter} }}){(found is null ? ", or set MongoOptions.CreateIndexes = true" : " after dropping that one")}.",
            ]);
        }
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

    private static (string Name, BsonDocument Keys, BsonDocument Filter) Describe(CreateIndexModel<BsonDocument> index)
    {
        var arguments = new RenderArgs<BsonDocument>(BsonDocumentSerializer.Instance, BsonSerializer.SerializerRegistry);
        return (index.Options.Name, index.Keys.Render(arguments), ((CreateIndexOptions<BsonDocument>)index.Options).PartialFilterExpression.Render(arguments));
    }

    private static async Task<BsonDocument?> FindAsync(MongoConnection connection, string collection, string field, CancellationToken cancellationToken) =>
        (await ListAsync(connection, collection, cancellationToken).ConfigureAwait(false))
            .Find(index => index["key"].AsBsonDocument is { ElementCount: 1 } key && key.Contains(field));

    private static Task<List<BsonDocument>> ListAsync(MongoConnection connection, string collection, CancellationToken cancellationToken) =>
        connection.RunAsync(
            $"list the indexes of collection '{collection}'",
            async token =>
            {
                using var cursor = await connection.Collection<BsonDocument>(collection).Indexes.ListAsync(token).ConfigureAwait(false);
                return await cursor.ToListAsync(token).ConfigureAwait(false);
            },
            cancellationToken);
}
