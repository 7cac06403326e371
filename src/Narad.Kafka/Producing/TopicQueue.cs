using Confluent.Kafka;

namespace Narad.Kafka.Producing;

/// <summary>
/// The sends of one topic that wait, and what the queue knows about the topic. Order is kept within a topic; a topic that waits (for its creation, for
/// its limit, for room at the broker, for a refused batch) holds no other topic up, so that a handler that sends elsewhere continues.
/// </summary>
/// <remarks>Threading: everything belongs to the lock of <see cref="SendQueue"/>, except for what has left (interlocked) and what says so.</remarks>
internal sealed class TopicQueue
{
    private long _entered;
    private long _enteredBytes;
    private long _left;
    private long _leftBytes;
    private volatile TopicLimit _limit;
    private bool _goesAlone;   // what went last has to be alone with the client
    private long _askAgainAt;

    public TopicQueue(string topic, bool mustEnsure, bool mustAsk)
    {
        Topic = topic;
        AnyPartition = new TopicPartition(topic, Confluent.Kafka.Partition.Any);
        Existence = mustEnsure ? TopicExistence.Unknown : TopicExistence.Assured;
        _limit = mustAsk ? TopicLimit.Unasked : TopicLimit.Open;
    }

    public string Topic { get; }

    public TopicPartition AnyPartition { get; }

    public PendingSendList Waiting { get; } = new();

    public TopicExistence Existence { get; set; }

    /// <summary>What a client calls the topic.</summary>
    public (NativeProducer? Client, nint Topic) ClientTopic { get; set; }

    /// <summary>Written under the lock, read by reports without it.</summary>
    public TopicLimit Limit
    {
        get => _limit;
        set => _limit = value;
    }

    /// <summary>
    /// When an <see cref="TopicLimit.Untold"/> or <see cref="TopicLimit.Limited"/> limit is asked again, as a timestamp of the clock; written under the lock,
    /// read by reports without it.
    /// </summary>
    public long AskAgainAt
    {
        get => Volatile.Read(ref _askAgainAt);
        set => Volatile.Write(ref _askAgainAt, value);
    }

    /// <summary>Whether it waits for its turn to be asked about.</summary>
    public bool IsToBeAsked { get; set; }

    /// <summary>Whether a batch was refused although the topic kept to <see cref="Window"/>.</summary>
    public bool RefusedAgain { get; set; }

    /// <summary>Whether it was logged that batches of it are refused for records in them.</summary>
    public bool RecordsRefused { get; set; }

    /// <summary>Whether it is being asked whether the limit is still as low as <see cref="Window"/>.</summary>
    public bool Reconsidered { get; set; }

    /// <summary>Whether <see cref="Window"/> was widened since a batch was last refused in spite of it.</summary>
    public bool Widened { get; set; }

    /// <summary>How long a low limit holds before the broker is asked again.</summary>
    public TimeSpan ReconsiderAfter { get; set; }

    /// <summary>The broker has no room; backpressure says when to try again.</summary>
    public bool IsAtCapacity { get; set; }

    /// <summary>
    /// Where the limit is below a batch: the most bytes of this topic with the client, so that no batch exceeds it; 0: one message at a time.
    /// </summary>
    public long Window { get; set; } = long.MaxValue;

    /// <summary>Its place among the topics whose turn may come; see <see cref="WaitingSends"/>. Negative: it is not there.</summary>
    public int Place { get; set; } = -1;

    /// <summary>Whether it was forgotten: another one has its topic's name now, or will.</summary>
    public bool IsForgotten { get; set; }

    /// <summary>Whether it stays although nothing is sent to it: somebody saw to the topic, which is not to be created again.</summary>
    public bool IsKept { get; set; }

    /// <summary>The round of <see cref="WaitingSends"/> in which something was last sent to it.</summary>
    public int Round { get; set; }

    /// <summary>Whether nothing of it waits, is with the client or is being learned, and nothing was learned from a refusal.</summary>
    public bool IsIdle => !IsKept && !IsAtCapacity && !IsToBeAsked && Waiting.Count == 0 && InFlight == 0
        && Existence is not TopicExistence.Ensuring && _limit is TopicLimit.Unasked or TopicLimit.Untold or TopicLimit.Open;

    /// <summary>Whether nothing of it may go, however little.</summary>
    public bool IsBlocked => Existence != TopicExistence.Assured || _limit >= TopicLimit.Unasked;

    /// <summary>Whether a message that has to be alone is with the client.</summary>
    public bool IsTakenByOne => _goesAlone && InFlight > 0;

    private long InFlight => _entered - Interlocked.Read(ref _left);

    public bool MayGo(PendingSend send)
    {
        if (IsBlocked || IsAtCapacity)
        {
            return false;
        }

        if (_goesAlone || send.MustGoAlone)
        {
            return InFlight == 0;
        }

        return Window == long.MaxValue
            || InFlight == 0
            || _enteredBytes - Interlocked.Read(ref _leftBytes) + send.Bytes <= Window;
    }

    public void Entered(PendingSend send)
    {
        _entered++;
        _enteredBytes += send.Bytes;
        _goesAlone = send.MustGoAlone;
        send.Alone = InFlight == 1 && (_goesAlone || (Window != long.MaxValue && (Window == 0 || send.Bytes > Window)));
    }

    /// <summary>So many are no longer with the client. Without the lock.</summary>
    public void Left(int count, long bytes)
    {
        Interlocked.Add(ref _leftBytes, bytes);
        Interlocked.Add(ref _left, count);
    }
}
