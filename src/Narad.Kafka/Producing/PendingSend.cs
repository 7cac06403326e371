using System.Threading.Tasks.Sources;
using Confluent.Kafka;

namespace Narad.Kafka.Producing;

/// <summary>
/// One message from <c>SendAsync</c> to its acknowledgement: what the client takes, the entry in the queue, and the source that the
/// sender awaits, in one pooled object. It never runs a sender's code on the thread that completes it.
/// </summary>
/// <remarks>
/// Threading: <see cref="Stage"/>, <see cref="Ticket"/> and the links belong to the lock of <see cref="SendQueue"/> (the links, while the send is
/// with a client, to that client's list). Completing is decided by one exchange: the report, a cancellation, a timeout or the shutdown; who comes
/// second changes nothing. The object returns to the pool only after both halves let go: the awaiter (its result was read) and the
/// line (nothing of the queue or the client refers to it any more).
/// </remarks>
internal sealed class PendingSend : IValueTaskSource<SendResult>
{
    private const int AwaiterLetGo = 1;
    private const int QueueLetGo = 2;

    private readonly SendQueue _owner;
    private ManualResetValueTaskSourceCore<SendResult> _source = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _cancellation;
    private int _completed;
    private int _letGo;

    public PendingSend(SendQueue owner) => _owner = owner;

    /// <summary>Null for a tombstone.</summary>
    public byte[]? Payload { get; set; }

    /// <summary>Whether <see cref="Payload"/> is the caller's own array, which is not read after the call.</summary>
    public bool BorrowsPayload { get; set; }

    /// <summary>Whether anything of it is the caller's: payload, key or header values. See <see cref="Own()"/>.</summary>
    public bool Borrows { get; set; }

    public MessageKey Key { get; set; }

    /// <summary>The key as it is on the wire.</summary>
    public byte[]? KeyBytes { get; set; }

    /// <summary>Null where there are none.</summary>
    public MessageHeader[]? Headers { get; set; }

    /// <summary>Milliseconds since 1970; 0: the time of sending.</summary>
    public long Timestamp { get; set; }

    public int? Partition { get; set; }

    /// <summary>An upper bound of its size in a batch: key, value, headers and the format's own bytes.</summary>
    public int Bytes { get; set; }

    public TopicQueue Queue { get; set; } = null!;

    /// <summary>The service's own limit.</summary>
    public int MaxMessageBytes => _owner.MaxMessageBytes;

    public SendStage Stage { get; set; }

    /// <summary>Its place: fixed when the send was called.</summary>
    public long Ticket { get; set; }

    /// <summary>How many middlewares of other sends it was sent from within; see <see cref="PendingSendList.FirstAbove"/>.</summary>
    public int Depth { get; set; }

    /// <summary>When its time is over, as a timestamp of the clock; 0 while it never had to wait.</summary>
    public long Deadline { get; set; }

    /// <summary>
    /// Whether its awaiter was told that no acknowledgement came in time, while it was with the client. Belongs to the lock of the client's list.
    /// </summary>
    public bool IsTimedOut { get; set; }

    /// <summary>Whether it is a message of the broker's own, sent again: then only the broker says whether it is too large.</summary>
    public bool IsForwarded { get; set; }

    /// <summary>Whether nothing else of its topic was with the client while it was: then a refusal of its batch is its own.</summary>
    public bool Alone { get; set; }

    /// <summary>Whether its batch was refused for a record in it, which may be this one: it goes again alone.</summary>
    public bool MustGoAlone { get; set; }

    public ProducerGeneration? Generation { get; set; }

    public PendingSendList? List { get; set; }

    public PendingSend? Previous { get; set; }

    public PendingSend? Next { get; set; }

    public ValueTask<SendResult> Task => new(this, _source.Version);

    public bool IsCompleted => Volatile.Read(ref _completed) != 0;

    /// <summary>The client's answer, on the client's thread.</summary>
    public void Report(int partition, long offset, ErrorCode code, PersistenceStatus status)
        => _owner.Reported([new SendReport(this, partition, offset, code, status)]);

    /// <summary>As <see cref="Report(int, long, ErrorCode, PersistenceStatus)"/>, for many sends of one client.</summary>
    public static void Report(ReadOnlySpan<SendReport> reports) => reports[0].Send._owner.Reported(reports);

    public bool TryComplete(in SendResult result)
    {
        if (Interlocked.Exchange(ref _completed, 1) != 0)
        {
            return false;
        }

        _source.SetResult(result);
        return true;
    }

    public bool TryComplete(Exception exception)
    {
        if (Interlocked.Exchange(ref _completed, 1) != 0)
        {
            return false;
        }

        _source.SetException(exception);
        return true;
    }

    /// <summary>FailureTopics what is the caller's. To be called before the call returns, unless the client has taken the send and with it a copy.</summary>
    public void Own()
    {
        if (!Borrows)
        {
            return;
        }

        if (Headers is { } headers)
        {
            for (var i = 0; i < headers.Length; i++)
            {
                headers[i] = headers[i] with { Value = (byte[]?)headers[i].Value?.Clone() };
            }
        }

        Own(BorrowsPayload ? (byte[]?)Payload?.Clone() : Payload, Key.IsBytes ? (byte[]?)KeyBytes?.Clone() : KeyBytes);
    }

    /// <summary>Replaces what is the caller's by equal bytes that are its own; those of <see cref="Headers"/> were replaced before.</summary>
    public void Own(byte[]? payload, byte[]? key)
    {
        Payload = payload;
        KeyBytes = key;
        if (Key.IsBytes)
        {
            Key = MessageKey.From(key);
        }

        BorrowsPayload = false;
        Borrows = false;
    }

    /// <summary>To be called before the sender gets <see cref="Task"/>: nobody can have read the result yet, so the object is still its own.</summary>
    public void CancelWith(CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            _cancellation = cancellationToken.UnsafeRegister(
                static (state, token) => ((PendingSend)state!)._owner.Cancel((PendingSend)state, token),
                this);
        }
    }

    /// <summary>Nothing of the queue or the client refers to this object any more.</summary>
    public void LetGo() => Release(QueueLetGo);

    SendResult IValueTaskSource<SendResult>.GetResult(short token)
    {
        // Waits for a cancellation that is running just now, so that it never meets the object's next life.
        _cancellation.Dispose();
        try
        {
            return _source.GetResult(token);
        }
        finally
        {
            Release(AwaiterLetGo);
        }
    }

    ValueTaskSourceStatus IValueTaskSource<SendResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<SendResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
        => _source.OnCompleted(continuation, state, token, flags);

    private void Release(int half)
    {
        if ((Interlocked.Or(ref _letGo, half) | half) != (AwaiterLetGo | QueueLetGo))
        {
            return;
        }

        _source.Reset();
        _cancellation = default;
        _completed = 0;
        _letGo = 0;
        Payload = null;
        BorrowsPayload = false;
        Borrows = false;
        Key = default;
        KeyBytes = null;
        Headers = null;
        Timestamp = 0;
        Partition = null;
        Bytes = 0;
        Stage = SendStage.Free;
        Ticket = 0;
        Depth = 0;
        Deadline = 0;
        IsTimedOut = false;
        Alone = false;
        MustGoAlone = false;
        IsForwarded = false;
        Generation = null;
        Queue = null!;
        _owner.Return(this);
    }
}
