using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Narad.Samples;
using Orders.Participants.Payment;
using Orders.Participants.Shipping;
using Orders.Participants.Stock;
using Orders.Saga;

namespace Orders.Storage;

/// <summary>Chooses the storage.</summary>
internal static class OrderStorageExtensions
{
    private const string DefaultDatabase = "orders";

    // A server that is away is known sooner: a client waits for the answer.
    private static readonly TimeSpan SelectionTimeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Event store, inbox, outbox and what saga and participants store: in MongoDB where <c>MONGODB_URI</c> names a server, else in memory. The server has to
    /// have transactions: a standalone one is refused at the start.
    /// </summary>
    /// <param name="kafka">The Kafka service's builder.</param>
    /// <param name="configuration">The application's configuration.</param>
    /// <param name="memory">What the roles share where they are in one process and there is no MongoDB.</param>
    /// <exception cref="KafkaConfigurationException">The URI cannot be read.</exception>
    public static NaradKafkaBuilder AddOrderStorage(this NaradKafkaBuilder kafka, IConfiguration configuration, OrdersMemory memory)
    {
        kafka.Services.AddSingleton(TimeProvider.System);
        if (configuration.HasMongo())
        {
            kafka.AddMongoStorage(configuration.OpenMongo(DefaultDatabase, OrdersDatabase.Timeout, SelectionTimeout));
        }
        else
        {
            kafka.Services.AddMemoryStorage(memory);
        }

        return kafka.AddOutbox();
    }

    private static void AddMongoStorage(this NaradKafkaBuilder kafka, MongoDB.Driver.IMongoDatabase database)
    {
        kafka.AddMongo(database, static options =>
        {
            options.UseTransactions = true;
            options.OperationTimeout = OrdersDatabase.Timeout;
        });
        kafka.Services.AddSingleton(database);
        kafka.Services.AddSingleton<OrdersDatabase>();
        kafka.Services.AddHostedService<OrdersIndexes>();
        kafka.Services.AddSingleton<IOrderEventStore, MongoOrderEventStore>();
        kafka.Services.AddSingleton<ISagaStore, MongoSagaStore>();
        kafka.Services.AddSingleton<IPayments, MongoPayments>();
        kafka.Services.AddSingleton<IWarehouse, MongoWarehouse>();
        kafka.Services.AddSingleton<IShipments, MongoShipments>();
        kafka.Services.AddHealthChecks().AddNaradKafkaMongo();
    }

    private static void AddMemoryStorage(this IServiceCollection services, OrdersMemory memory)
    {
        services.AddSingleton<IInbox>(memory.Inbox);
        services.AddSingleton<IOutboxStore>(memory.Outbox);
        services.AddSingleton(memory.Logs);
        services.AddSingleton<IOrderEventStore, InMemoryOrderEventStore>();
        services.AddSingleton<ISagaStore>(memory.Sagas);
        services.AddSingleton<IPayments>(memory.Payments);
        services.AddSingleton<IWarehouse>(memory.Warehouse);
        services.AddSingleton<IShipments>(memory.Shipments);
    }
}
