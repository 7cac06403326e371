using Microsoft.Extensions.DependencyInjection;
using MongoDB.Driver;
using Narad.Samples;
using Orders.Storage;

namespace Orders.ReadModel;

/// <summary>Chooses where the read model is.</summary>
internal static class OrderReadModelExtensions
{
    /// <summary>In the database of the event store, or in the memory that the roles share.</summary>
    public static void AddOrderReadModel(this IServiceCollection services, IConfiguration configuration, OrdersMemory memory)
    {
        if (configuration.HasMongo())
        {
            services.AddSingleton<IOrderReadModel>(static provider => new MongoOrderReadModel(provider.GetRequiredService<IMongoDatabase>()));
        }
        else
        {
            services.AddSingleton<IOrderReadModel>(memory.ReadModel);
        }
    }
}
