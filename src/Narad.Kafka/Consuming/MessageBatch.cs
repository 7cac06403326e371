namespace Narad.Kafka;

/// <summary>Messages of one partition, in offset order.</summary>
/// <typeparam name="T">The message's type.</typeparam>
public sealed class MessageBatch<T>
{
    /// <summary>Creates a batch, for tests of handlers.</summary>
    /// <param name="items">The messages of one partition in offset order, each with its context; at least one.</param>
    public MessageBatch(IReadOnlyList<(T Message, MessageContext Context)> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentOutOfRangeException.ThrowIfZero(items.Count);
        Items = items;
    }

    /// <summary>The messages, each with its context; never empty.</summary>
    public IReadOnlyList<(T Message, MessageContext Context)> Items { get; }

    /// <summary>The topic of all of them.</summary>
    public string Topic => Items[0].Context.Topic;

    /// <summary>The partition of all of them.</summary>
    public int Partition => Items[0].Context.Partition;
}
