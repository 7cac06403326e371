using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>
/// One message between the client and its handler: what arrived, and where it stands. One allocation a message besides the client's own.
/// </summary>
/// <remarks>
/// Ownership passes on: the poll thread creates it and hands it to its <see cref="Lane"/>; a worker owns it while it runs; finished, it goes
/// back to the poll thread through <see cref="CompletedDeliveries"/>. Nobody else writes to it.
/// </remarks>
internal sealed class Delivery
{
    /// <summary>What the client's objects cost besides their payload: an estimate that keeps a flood of tiny messages within the byte limit.</summary>
    public const int Overhead = 256;

    public Delivery(AssignedPartition partition, ConsumeResult<byte[]?, byte[]?> result, long arrival)
    {
        Partition = partition;
        Result = result;
        Arrival = arrival;
        Bytes = SizeOf(result);
    }

    /// <summary>The assignment it arrived under: its epoch. A completion of another epoch changes nothing.</summary>
    public AssignedPartition Partition { get; }

    public ConsumeResult<byte[]?, byte[]?> Result { get; }

    /// <summary>The tracker's number for it.</summary>
    public long Arrival { get; }

    /// <summary>What it counts for in the byte limits.</summary>
    public int Bytes { get; }

    /// <summary>How many invocations it had.</summary>
    public int Attempts { get; set; }

    /// <summary>Behind it in its lane. Written under the scheduler's lock.</summary>
    public Delivery? NextInLane { get; set; }

    /// <summary>Behind it among the completed ones. Written by whoever completes it.</summary>
    public Delivery? NextCompleted { get; set; }

    private static int SizeOf(ConsumeResult<byte[]?, byte[]?> result)
    {
        var message = result.Message;
        var bytes = Overhead + (message.Key?.Length ?? 0) + (message.Value?.Length ?? 0);
        if (message.Headers is { Count: > 0 } headers)
        {
            foreach (var header in headers)
            {
                bytes += (2 * header.Key.Length) + (header.GetValueBytes()?.Length ?? 0);
            }
        }

        return bytes;
    }
}
