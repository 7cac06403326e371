using Orders.Storage;

namespace Orders.Api;

/// <summary>Role <c>orders</c>: REST, projection and page.</summary>
internal static class OrdersApi
{
    public static void AddOrdersApi(this WebApplicationBuilder builder, OrdersMemory memory) => builder.AddOrdersKafka("orders", memory);

    public static void MapOrdersApi(this WebApplication app)
    {
    }
}
