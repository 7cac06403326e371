using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;
using Narad.Kafka.Mongo;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>MongoDB as the inbox, the outbox and the message store of the Kafka service.</summary>
public static class NaradKafkaMongoExtensions
{
    private const string Section = "Kafka:Mongo";
    private const string DefaultUri = "mongodb://localhost:27017";
    private const string DefaultDatabase = "message-db";

    /// <summary>
    /// Registers MongoDB as <see cref="IInbox"/>, <see cref="IOutboxStore"/> and <see cref="IMessageStore"/>, and <see cref="IMongoSessionAccessor"/> for
    /// handlers. Connection string: the argument, else <see cref="MongoOptions.ConnectionString"/>, <c>ConnectionStrings:mongodb</c>, <c>MONGODB_URI</c>,
    /// <c>mongodb://localhost:27017</c>.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="connectionString">The connection string, <c>mongodb+srv</c> included; null: as above.</param>
    /// <param name="configure">Changes the settings.</param>
    /// <returns>The same builder.</returns>
    public static NaradKafkaBuilder AddMongo(this NaradKafkaBuilder builder, string? connectionString = null, Action<MongoOptions>? configure = null) => Add(
        builder,
        configure,
        (services, options) =>
        {
            var configuration = services.GetService<IConfiguration>();
            var uri = connectionString ?? options.ConnectionString ?? configuration?.GetConnectionString("mongodb") ?? configuration?["MONGODB_URI"]
                ?? Environment.GetEnvironmentVariable("MONGODB_URI") ?? DefaultUri;
            var url = Parse(uri);
            return MongoClients.Create(url, options, services.GetService<ILoggerFactory>())
                .GetDatabase(options.Database ?? url.DatabaseName ?? DefaultDatabase);
        });

    /// <summary>
    /// Registers MongoDB through the application's own client: see
    /// <see cref="AddMongo(NaradKafkaBuilder, string?, Action{MongoOptions}?)"/>.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="client">The application's client, with its own settings; not disposed.</param>
    /// <param name="configure">Changes the settings; the database is <see cref="MongoOptions.Database"/>.</param>
    /// <returns>The same builder.</returns>
    public static NaradKafkaBuilder AddMongo(this NaradKafkaBuilder builder, IMongoClient client, Action<MongoOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        return Add(builder, configure, (_, options) => client.GetDatabase(options.Database ?? DefaultDatabase));
    }

    /// <summary>
    /// Registers MongoDB through the application's own database: see
    /// <see cref="AddMongo(NaradKafkaBuilder, string?, Action{MongoOptions}?)"/>.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="database">The application's database, with its client's settings; not disposed.</param>
    /// <param name="configure">Changes the settings.</param>
    /// <returns>The same builder.</returns>
    public static NaradKafkaBuilder AddMongo(this NaradKafkaBuilder builder, IMongoDatabase database, Action<MongoOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(database);
        return Add(builder, configure, (_, _) => database);
    }

    /// <summary>Stores a topic's messages in a MongoDB collection: see <see cref="NaradKafkaBuilder.AddMessageStore{T}"/>.</summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <param name="builder">The builder.</param>
    /// <param name="topic">A topic's name, or a pattern.</param>
    /// <param name="collection">The collection.</param>
    /// <param name="map">The document of a message; its <c>_id</c> is set to the message id unless it has one. Default: the message with its
    /// coordinates.</param>
    /// <param name="group">The group; default <see cref="KafkaOptions.ConsumerGroupId"/>.</param>
    /// <param name="store">Ids, what happens to an id that is there already, retention.</param>
    /// <param name="configure">Batch size and wait, retries, start position …</param>
    public static NaradKafkaBuilder StoreInMongo<T>(
        this NaradKafkaBuilder builder,
        string topic,
        string collection,
        Func<T, MessageContext, BsonDocument>? map = null,
        string? group = null,
        Action<MessageStoreOptions<T>>? store = null,
        Action<SubscriptionOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddMessageStore<T>(
            topic,
            collection,
            group,
            options =>
            {
                options.DocumentSelector = map;
                store?.Invoke(options);
            },
            configure);
    }

    /// <summary>
    /// Adds a health check named <c>mongodb</c>: unhealthy while the server does not answer, degraded while a subscription waits for it, or the inbox has no
    /// transactions. Contains no secret.
    /// </summary>
    /// <param name="builder">The application's health checks.</param>
    /// <param name="name">The check's name; default <c>mongodb</c>.</param>
    /// <param name="failureStatus">What to report instead of unhealthy.</param>
    /// <param name="tags">Tags, such as <c>ready</c>.</param>
    public static IHealthChecksBuilder AddNaradKafkaMongo(this IHealthChecksBuilder builder, string name = "mongodb", HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name, static services => new MongoHealthCheck(
                services.GetRequiredService<MongoConnection>(), services.GetRequiredService<MongoOutboxStore>(), services.GetService<IKafkaService>()),
                failureStatus, tags));
    }

    private static NaradKafkaBuilder Add(NaradKafkaBuilder builder, Action<MongoOptions>? configure, Func<IServiceProvider, MongoOptions,
        IMongoDatabase> database)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        if (services.Any(static service => service.ServiceType == typeof(MongoConnection)))
        {
            throw new InvalidOperationException("AddMongo was called before for this service. Call it once.");
        }

        services.AddSingleton(provider =>
        {
            var options = new MongoOptions();
            MongoConfiguration.Apply(options, provider.GetService<IConfiguration>()?.GetSection(Section));
            configure?.Invoke(options);
            MongoConfiguration.ThrowIfInvalid(options);
            return new MongoConnection(() => database(provider, options), options, provider.GetRequiredService<ILogger<MongoConnection>>());
        });
        services.TryAddSingleton<IMongoSessionAccessor, MongoSessionScope>();
        services.AddSingleton<IInbox>(static provider => new MongoInbox(provider.GetRequiredService<MongoConnection>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static provider => new MongoOutboxStore(provider.GetRequiredService<MongoConnection>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IOutboxStore>(static provider => provider.GetRequiredService<MongoOutboxStore>());
        services.AddSingleton<IMessageStore>(static provider => new MongoMessageStore(
            provider.GetRequiredService<MongoConnection>(), provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<IOptions<KafkaOptions>>().Value.Json));
        return builder;
    }

    // The driver's text may quote the connection string, and with it the password.
    private static MongoUrl Parse(string uri)
    {
        try
        {
            return MongoUrl.Create(uri);
        }
        catch (Exception error) when (error is MongoConfigurationException or FormatException or ArgumentException)
        {
            throw new KafkaConfigurationException([
                "the MongoDB connection string cannot be read. Write mongodb://user:password@host:27017/database?replicaSet=name, or mongodb+srv://…; encode "
                    + "special characters of user and password as %XX.",
            ]);
        }
    }
}
