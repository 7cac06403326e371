using Narad.Kafka.Failures;
using Narad.Kafka.KeyOrder;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Consuming;

/// <summary>
/// One message between the client and its handler: what arrived, and where it stands.
/// </summary>
/// <remarks>
/// Ownership passes on: the poll thread creates it and hands it to its <see cref="KeyQueue"/>; a worker owns it while it runs; finished, it goes
/// back to the poll thread through <see cref="CompletedDeliveries"/>, which uses it again. Nobody else writes to it, and nobody keeps it.
/// </remarks>
internal sealed class Delivery
{
    /// <summary>What a message costs besides its payload: an estimate that keeps a flood of tiny messages within the byte limit.</summary>
    public const int Overhead = 256;

    public Delivery(AssignedPartition partition, in ReceivedMessage message, long sequence) => Fill(partition, message, sequence);

    /// <summary>The assignment it arrived under: its epoch. A completion of another epoch changes nothing.</summary>
    public AssignedPartition Partition { get; private set; } = null!;

    public long Offset { get; private set; }

    public byte[]? Key { get; private set; }

    public byte[]? Value { get; private set; }

    /// <summary>Milliseconds since 1970.</summary>
    public long Timestamp { get; private set; }

    /// <summary>As they came: each invocation gets a copy of its own. Null where there are none.</summary>
    public MessageHeaders? Headers { get; private set; }

    /// <summary>The tracker's number for it.</summary>
    public long Sequence { get; private set; }

    /// <summary>What it counts for in the byte limits.</summary>
    public int Bytes { get; private set; }

    /// <summary>How many invocations it had.</summary>
    public int Attempts { get; set; }

    /// <summary>Where it goes, while its record is not acknowledged: then it is not handled again.</summary>
    public Forwarding? Forwarding { get; set; }

    /// <summary>How often publishing its record failed.</summary>
    public int FailedPublishes { get; set; }

    /// <summary>Whether it waits until its deserializer gets what it needs.</summary>
    public bool IsWaitingForDeserializer { get; set; }

    /// <summary>How often it failed as the probe of an open circuit.</summary>
    public int FailedProbes { get; set; }

    /// <summary>Of a blocked key's record that is at its turn, or moves to the end of its topic: that; null otherwise.</summary>
    public BlockedRecord? BlockedRecord { get; set; }

    /// <summary>Whether it leaves memory unfinished.</summary>
    public bool IsPutBack { get; set; }

    /// <summary>Of an exactly-once subscription: where it stands between transactions; null elsewhere.</summary>
    public TransactionState? TransactionState { get; set; }

    /// <summary>It in the transaction that it is in; null where there is none.</summary>
    public TransactionEntry? TransactionEntry => TransactionState?.Entry;

    /// <summary>
    /// Behind it in its key queue, written under the scheduler's lock; then behind it among the completed ones, written by whoever completes it.
    /// </summary>
    public Delivery? Next { get; set; }

    /// <summary>Makes a finished one the next message's.</summary>
    public void Fill(AssignedPartition partition, in ReceivedMessage message, long sequence)
    {
        Partition = partition;
        Offset = message.Offset;
        Key = message.Key;
        Value = message.Value;
        Timestamp = message.Timestamp;
        Headers = message.Headers;
        Sequence = sequence;
        Bytes = SizeOf(message);
        Attempts = 0;
        Forwarding = null;
        FailedPublishes = 0;
        FailedProbes = 0;
        IsWaitingForDeserializer = false;
        BlockedRecord = null;
        IsPutBack = false;
        TransactionState = null;
        Next = null;
    }

    /// <summary>Lets go of all that it refers to: what it brought, and what the application made of it. A spare one outlives its message.</summary>
    public void Empty()
    {
        Partition = null!;
        Key = null;
        Value = null;
        Headers = null;
        Forwarding = null;
        BlockedRecord = null;
        TransactionState = null;
        Next = null;
    }

    private static int SizeOf(in ReceivedMessage message)
    {
        var bytes = Overhead + (message.Key?.Length ?? 0) + (message.Value?.Length ?? 0);
        if (message.Headers is { } headers)
        {
            for (var i = 0; i < headers.Count; i++)
            {
                bytes += (2 * headers[i].Name.Length) + (headers[i].Value?.Length ?? 0);
            }
        }

        return bytes;
    }
}
