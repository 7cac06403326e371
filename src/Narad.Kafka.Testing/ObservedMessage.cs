namespace Narad.Kafka.Testing;

/// <summary>A message that a <see cref="KafkaHarness"/> saw published or handled.</summary>
/// <typeparam name="T">Its type.</typeparam>
/// <param name="Message">The message.</param>
/// <param name="Topic">The topic's real name.</param>
/// <param name="Partition">The partition.</param>
/// <param name="Offset">The offset.</param>
/// <param name="Key">The key.</param>
/// <param name="Headers">The headers.</param>
/// <param name="Group">The group that handled it; null where it was published.</param>
public sealed record ObservedMessage<T>(T Message, string Topic, int Partition, long Offset, MessageKey Key, MessageHeaders Headers, string? Group);
