using MessageStore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Narad.Samples;

namespace MessageStore;

/// <summary>What the two processes consist of.</summary>
internal static class MessageStoreRoles
{
    public const string Topic = "messages";
    public const string Collection = "messages";

    /// <summary>The roles. In memory they share one store, so they run in one process; MongoDB is used where <c>MONGODB_URI</c> names one.</summary>
    public static SampleRole[] All()
    {
        var memory = new InMemoryMessages();
        return [new("api", 3000, builder => BuildApi(builder, memory)), new("consumer", 3001, builder => BuildConsumer(builder, memory))];
    }

    private static WebApplication BuildApi(WebApplicationBuilder builder, InMemoryMessages memory)
    {
        builder.Services.AddNaradKafka(builder.Configuration, static kafka =>
        {
            kafka.ClientId = "message-store-api";
            kafka.StartWithoutBroker = true;   // messages are stored meanwhile, and produced later
        })

            // Kafka keeps messages for 24 hours, consumed or not. What is set later (PUT /retention) stays; the next start reports the difference.
            .AddTopic(Topic, retention: TimeSpan.FromHours(24))
            .AddTopic($"{Topic}-dlt", retention: Timeout.InfiniteTimeSpan);
        builder.Services.AddHealthChecks().AddNaradKafka().AddCheck<StorageHealth>("storage");
        builder.Services.AddSingleton<IMessages>(builder.Configuration.HasMongo() ? new MongoMessages(Mongo.Connect(builder.Configuration)) : memory);
        builder.Services.AddValidation();   // the attributes of request types and parameters
        builder.Services.AddSingleton<MessageClock>();
        builder.Services.AddSingleton<ProduceMessages>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<ProduceMessages>());

        var app = builder.Build();
        app.MapSampleDefaults();
        app.MapSamplePage(typeof(MessageStoreRoles).Assembly, "Message store");
        app.MapMessages();
        app.MapRetention();
        return app;
    }

    private static WebApplication BuildConsumer(WebApplicationBuilder builder, InMemoryMessages memory)
    {
        var health = builder.Services.AddHealthChecks().AddNaradKafka();
        var kafka = builder.Services.AddNaradKafka(builder.Configuration, static kafka =>
        {
            kafka.ClientId = "message-store-consumer";
            kafka.ConsumerGroupId ??= "message-store";
        });

        // What is not there yet is inserted. A message that cannot be read, or has no id or text, is a dead letter.
        if (builder.Configuration.HasMongo())
        {
            kafka.AddMongo(Mongo.Connect(builder.Configuration)).StoreInMongo<Message>(
                Topic, Collection, map: static (message, _) => Mongo.Document(message, produced: true), store: ById, configure: DeadLetters);
            health.AddNaradKafkaMongo();
        }
        else
        {
            kafka.AddMessageStore<Message>(Topic, Collection, store: options => { ById(options); options.Store = memory; }, configure: DeadLetters);
        }

        var app = builder.Build();
        app.MapSampleDefaults();
        return app;

        static void ById(MessageStoreOptions<Message> options) => options.IdProperty = "id";
        static void DeadLetters(SubscriptionOptions subscription) => subscription.DeadLetter.Enabled = true;
    }
}
