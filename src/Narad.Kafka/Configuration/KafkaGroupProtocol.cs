namespace Narad.Kafka;

/// <summary>The values of <c>group.protocol</c>.</summary>
public enum KafkaGroupProtocol
{
    /// <summary>The protocol of every broker. The default.</summary>
    Classic,

    /// <summary>KIP-848: the broker assigns; Kafka 4 or newer.</summary>
    Consumer,
}
