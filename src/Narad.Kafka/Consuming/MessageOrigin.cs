namespace Narad.Kafka.Consuming;

/// <summary>What all messages of one assigned partition have in common, for their contexts; immutable.</summary>
internal sealed record MessageOrigin(string Topic, int Partition, string Group)
{
    public static readonly MessageOrigin Unknown = new("", 0, "");
}
