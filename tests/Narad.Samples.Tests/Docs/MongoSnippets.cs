using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MongoDB.Bson;
using MongoDB.Driver;
using Narad.Kafka;

namespace Narad.Samples.Tests.Docs;

/// <summary>The code of docs/inbox.md and docs/message-store.md, compiled.</summary>
public static class MongoSnippets
{
    public static void Inbox(HostApplicationBuilder builder)
    {
        // snippet: inbox
        builder.Services.AddSingleton(new MongoClient("mongodb://localhost:27017/?replicaSet=rs0").GetDatabase("shop"));
        builder.Services.AddNaradKafka()
            .AddMongo("mongodb://localhost:27017/?replicaSet=rs0", o => o.Database = "shop")
            .AddSubscription<OrderPlaced, RecordInvoice>("orders", group: "invoices", o =>
            {
                o.Once.Enabled = true;
                o.Once.IdProperty = "orderId";   // the message id is a property of the message
                o.Timeout = TimeSpan.FromSeconds(20);
            });
        builder.Services.AddHealthChecks().AddNaradKafka().AddNaradKafkaMongo();
        // end
    }

    public static void Store(HostApplicationBuilder builder)
    {
        // snippet: message-store
        builder.Services.AddNaradKafka()
            .AddMongo()   // ConnectionStrings:mongodb, MONGODB_URI, or mongodb://localhost:27017; database message-db
            .StoreInMongo<OrderPlaced>(
                "orders",
                collection: "orders",
                group: "order-store",
                store: o => o.IdProperty = "orderId",
                configure: o => o.DeadLetter.Enabled = true);
        // end
    }

    public static void MappedStore(NaradKafkaBuilder kafka)
    {
        // snippet: message-store-mapped
        kafka.StoreInMongo<OrderPlaced>(
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

// snippet: inbox-handler
public sealed class RecordInvoice(IMongoDatabase database) : IMessageHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, MessageContext context, CancellationToken cancellationToken)
    {
        var invoices = database.GetCollection<BsonDocument>("invoices");
        var invoice = new BsonDocument("order", order.OrderId);
        return context.GetMongoSession() is { } session
            ? invoices.InsertOneAsync(session, invoice, cancellationToken: cancellationToken)   // commits together with the inbox
            : invoices.InsertOneAsync(invoice, cancellationToken: cancellationToken);           // a standalone server
    }
}
// end
