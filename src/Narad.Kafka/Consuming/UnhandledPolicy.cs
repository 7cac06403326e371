namespace Narad.Kafka;

/// <summary>What happens when a handler fails and no policy covers it. The message is never skipped.</summary>
public enum UnhandledPolicy
{
    /// <summary>The partition stops at the message, loudly; other partitions go on. The default.</summary>
    StopPartition,

    /// <summary>The partition stops, the service's <see cref="IKafkaService.Completion"/> faults and the host is stopped.</summary>
    StopHost,
}
