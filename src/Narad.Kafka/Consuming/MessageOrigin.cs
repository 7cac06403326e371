using System.Runtime.CompilerServices;
using Narad.Kafka.Serialization;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Consuming;

/// <summary>What all messages of one assigned partition have in common, for their contexts; of a retry topic, a message's own. Immutable.</summary>
internal sealed record MessageOrigin(string Topic, int Partition, string Group)
{
    public static readonly MessageOrigin Unknown = new("", 0, "");

    // The latest answer of HandledBy. Written by any worker; each answer is right for the origin and the handler that it carries.
    private MessageOrigin? Handled { get; set; }

    /// <summary>The attempt through the retry topic.</summary>
    public int Retry { get; init; }

    /// <summary>Whether it came through a retry topic: then the last of its headers are the library's.</summary>
    public bool IsRetried { get; init; }

    /// <summary>Why it was retried; null where it was not, or the record does not say.</summary>
    public MessageFailure? Failure { get; init; }

    /// <summary>Where it was when it failed first; null: here.</summary>
    public TopicPartitionOffsetId? Original { get; init; }

    /// <summary>The timestamp there; null: the message's own.</summary>
    public DateTimeOffset? OriginalTimestamp { get; init; }

    /// <summary>What its handler sends through: the service, or the message's transaction; null where it came from no service.</summary>
    public IMessageSender? Sender { get; init; }

    /// <summary>Where handlers are chosen by type: the handler's; null elsewhere, and before the type is known.</summary>
    public TypedHandler? TypedHandler { get; private init; }

    /// <summary>Of one message, while its handler runs: what its writes go through.</summary>
    public object? StorageSession { get; init; }

    // The origin that the handler was added to.
    private MessageOrigin? Unhandled { get; init; }

    /// <summary>Returns this origin with a handler. The messages of a partition share it while their type is the same.</summary>
    public MessageOrigin HandledBy(TypedHandler handler)
    {
        if (Handled is not { } handled || !ReferenceEquals(handled.Unhandled, this) || !ReferenceEquals(handled.TypedHandler, handler))
        {
            Handled = handled = this with { TypedHandler = handler, Unhandled = this, Handled = null };
        }

        return handled;
    }

    // By identity: an origin and the one with its handler refer to each other.
    public bool Equals(MessageOrigin? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => RuntimeHelpers.GetHashCode(this);
}
