namespace Narad.Kafka;

/// <summary>What an inbox did with a message. Create it with <see cref="Handled"/>, <see cref="AlreadyHandled"/> or <see cref="Busy"/>.</summary>
public sealed record InboxResult
{
    private InboxResult(InboxResultKind kind) => Kind = kind;

    /// <summary>The handler ran and its message is noted.</summary>
    public static InboxResult Handled { get; } = new(InboxResultKind.Handled);

    /// <summary>What happened.</summary>
    public InboxResultKind Kind { get; }

    /// <summary>Of a message that was handled before: where that one was; null where it is unknown.</summary>
    public TopicPartitionOffsetId? First { get; private init; }

    /// <summary>Of a message that is being handled elsewhere: when to ask again.</summary>
    public TimeSpan RetryAfter { get; private init; }

    /// <summary>The message was handled before; its handler did not run.</summary>
    /// <param name="first">Where the message that was handled was; null where that is unknown.</param>
    public static InboxResult AlreadyHandled(TopicPartitionOffsetId? first = null) => new(InboxResultKind.AlreadyHandled) { First = first };

    /// <summary>The message is being handled elsewhere, or was when a process died; its handler did not run.</summary>
    /// <param name="retryAfter">When to ask again.</param>
    public static InboxResult Busy(TimeSpan retryAfter) => new(InboxResultKind.Busy) { RetryAfter = retryAfter };
}
