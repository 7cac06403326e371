using Microsoft.Extensions.DependencyInjection;
using MongoDB.Bson;
using Narad.Kafka;

namespace Narad.Samples.Tests.Docs;

/// <summary>The code of docs/message-store.md that is in no sample, compiled.</summary>
public static class MongoSnippets
{
    public static void MappedStore(IServiceCollection services)
    {
        // snippet: message-store-mapped
        services.AddNaradKafka()
            .AddMongo()
            .StoreInMongo<OrderPlaced>(
                "orders",
                collection: "latest-orders",
                map: (order, context) => new BsonDocument { { "order", order.OrderId }, { "at", context.Timestamp.UtcDateTime } },
                group: "latest-orders",
                store: o =>
                {
                    o.IdSelector = (_, context) => context.Key.AsText();   // one document a key
                    o.WriteMode = MessageWriteMode.ReplaceIfNewer;
                    o.Retention = TimeSpan.FromDays(90);
                });
        // end
    }
}
