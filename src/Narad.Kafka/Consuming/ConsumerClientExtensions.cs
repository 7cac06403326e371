using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>What every consuming client must be asked in one way.</summary>
internal static class ConsumerClientExtensions
{
    /// <summary>
    /// Waits until unassigned partitions are not fetched any more. librdkafka stops a partition's fetcher behind our back, and aborts the process where a
    /// partition is unassigned a second time before that came about. It serves one queue: the first of these questions is behind the order to stop, the
    /// second one behind its answer.
    /// </summary>
    public static void AwaitStops(this IConsumer<byte[]?, byte[]?> client)
    {
        _ = client.Assignment;
        _ = client.Assignment;
    }
}
