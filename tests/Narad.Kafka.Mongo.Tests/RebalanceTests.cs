using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Members of one group that come and go.</summary>
public sealed class RebalanceTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    private const int Messages = 400;

    private sealed record Event(string Id, int Number);

    [SkippableFact]
    [Trait("Promise", "S36")]
    public async Task Two_members_and_rebalances_have_each_effect_exactly_once()
    {
        await using var database = TestDatabase.On(TestDatabase.ReplicaSet);
        await database.Database.CreateCollectionAsync("effects");
        var (topic, group) = (kafka.CreateTopic(), kafka.NewName("g"));
        var effects = database.Collection("effects");
        Task<long> CountAsync() => effects.CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty);
        using var first = await StartAsync();
        var service = first.Services.GetRequiredService<IKafkaService>();
        var sending = Task.Run(async () =>
        {
            // Each id twice: as a redelivery, and as what a producer without idempotence writes.
            for (var number = 0; number < Messages; number++)
            {
                var id = number.ToString(CultureInfo.InvariantCulture);
                await service.SendAsync(topic, new Event(id, number), $"k-{number % 40}");
                await service.SendAsync(topic, new Event(id, number), $"k-{number % 40}");
            }
        });

        // The second member joins and leaves while the first one works.
        var rebalances = 0;
        while (await CountAsync() is var before && before < Messages - 60)
        {
            using var second = await StartAsync();
            await Waiting.UntilAsync(() => second.Services.GetRequiredService<IKafkaService>().Subscriptions[0].Assignment.Count > 0, "it joined");
            await Waiting.UntilAsync(async () => await CountAsync() >= Math.Min(Messages, before + 20), "both work");
            await second.StopAsync();
            rebalances++;
        }

        await sending;
        await Waiting.UntilAsync(async () => await CountAsync() >= Messages, "all were handled");
        await Waiting.UntilAsync(
            async () => await database.Collection("kafka_inbox").CountDocumentsAsync(FilterDefinition<BsonDocument>.Empty) == Messages, "all were noted");
        await first.StopAsync();
        var numbers = (await effects.Find(FilterDefinition<BsonDocument>.Empty).ToListAsync()).ConvertAll(static effect => effect["number"].AsInt32);
        numbers.Order().Should().Equal(Enumerable.Range(0, Messages));
        rebalances.Should().BePositive();

        async Task<IHost> StartAsync()
        {
            var builder = Host.CreateEmptyApplicationBuilder(settings: null);
            builder.Services.AddNaradKafka(kafka.Apply)
                .AddMongo(database.Uri, options => options.Database = database.Name)
                .AddSubscription<Event, EffectHandler>(topic, group, static options =>
                {
                    options.Once.Enabled = true;
                    options.Once.IdProperty = "id";
                });
            var host = builder.Build();
            await host.StartAsync();
            return host;
        }
    }

    private sealed class EffectHandler(IMongoSessionAccessor accessor, MongoConnection connection) : IMessageHandler<Event>
    {
        public async Task HandleAsync(Event message, MessageContext context, CancellationToken cancellationToken)
        {
            await connection.Database.GetCollection<BsonDocument>("effects")
                .InsertOneAsync(accessor.Session, new BsonDocument("number", message.Number), cancellationToken: cancellationToken);
            await Task.Delay(5, cancellationToken);   // long enough to be met by a rebalance
        }
    }
}
