using Narad.Kafka;
using Orders.Saga;

namespace Orders.Participants.Stock;

/// <summary>Role <c>stock</c>: may run several times.</summary>
internal static class StockRole
{
    public static void AddStock(this NaradKafkaBuilder kafka) => kafka.AddParticipant(
        Topics.StockCommands,
        static types => types.On<ReserveStock, StockHandler>(ReserveStock.Type).On<ReleaseStock, StockHandler>(ReleaseStock.Type),
        group: "stock-service");
}
