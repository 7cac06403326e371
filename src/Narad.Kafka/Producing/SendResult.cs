namespace Narad.Kafka;

/// <summary>Where a message was written.</summary>
/// <param name="Topic">The topic's real name.</param>
/// <param name="Partition">The partition; −1 in <see cref="KafkaMode.Console"/>.</param>
/// <param name="Offset">The offset; −1 in <see cref="KafkaMode.Console"/>.</param>
public readonly record struct SendResult(string Topic, int Partition, long Offset);
