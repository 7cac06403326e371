namespace Narad.Kafka.Consuming;

/// <summary>What all messages of one assigned partition have in common, for their contexts; of a retry topic, a message's own. Immutable.</summary>
internal sealed record MessageOrigin(string Topic, int Partition, string Group)
{
    public static readonly MessageOrigin Unknown = new("", 0, "");

    /// <summary>The attempt through the retry topic.</summary>
    public int Retry { get; init; }

    /// <summary>Where it was when it failed first; null: here.</summary>
    public MessagePlace? Original { get; init; }
}
