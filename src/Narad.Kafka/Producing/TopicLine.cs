using Confluent.Kafka;

namespace Narad.Kafka.Producing;

/// <summary>
/// The sends of one topic that wait, and what the line knows about the topic. Order is kept within a topic; a topic that waits (for its creation, for
/// room at the broker, for a refused batch) holds no other topic up, so that a handler that sends elsewhere goes on.
/// </summary>
/// <remarks>Threading: everything belongs to the lock of <see cref="SendLine"/>, except for the two counts in flight (interlocked).</remarks>
internal sealed class TopicLine
{
    private long _inFlight;
    private long _bytesInFlight;

    public TopicLine(string topic, bool mustEnsure)
    {
        Topic = topic;
        AnyPartition = new TopicPartition(topic, Confluent.Kafka.Partition.Any);
        Existence = mustEnsure ? TopicExistence.Unknown : TopicExistence.Assured;
    }

    public string Topic { get; }

    public TopicPartition AnyPartition { get; }

    public SendQueue Waiting { get; } = new();

    public TopicExistence Existence { get; set; }

    /// <summary>The broker has no room; the gate says when to try again.</summary>
    public bool GateClosed { get; set; }

    /// <summary>How the topic's limit is dealt with; see <see cref="BatchRefusal"/>.</summary>
    public BatchRefusal Refusal { get; set; }

    /// <summary>Once a batch was refused: the most bytes of this topic with the client, so that no batch exceeds the topic's limit; 0: one message at a time.</summary>
    public long Window { get; set; } = long.MaxValue;

    public long InFlight => Interlocked.Read(ref _inFlight);

    public bool MayGo(PendingSend send)
    {
        if (Existence != TopicExistence.Assured || GateClosed || Refusal == BatchRefusal.Learning)
        {
            return false;
        }

        if (Window == long.MaxValue)
        {
            return true;
        }

        var inFlight = InFlight;
        return inFlight == 0 || Interlocked.Read(ref _bytesInFlight) + send.Bytes <= Window;
    }

    public void Entered(PendingSend send)
    {
        send.Alone = Interlocked.Increment(ref _inFlight) == 1 && (Window == 0 || send.Bytes > Window);
        Interlocked.Add(ref _bytesInFlight, send.Bytes);
    }

    public void Left(int bytes)
    {
        Interlocked.Add(ref _bytesInFlight, -bytes);
        Interlocked.Decrement(ref _inFlight);
    }
}
