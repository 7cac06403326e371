namespace Narad.Kafka;

/// <summary>What happens when a handler fails and no policy covers it. The message is never skipped.</summary>
public enum UnhandledPolicy
{
    /// <summary>The partition stops at the message, loudly; other partitions continue. The default.</summary>
    StopPartition,

    /// <summary>
    /// The partition stops, the service's <see cref="IKafkaService.Completion"/> faults and the host is stopped. <see cref="Environment.ExitCode"/> becomes 1
    /// where it was 0,
    /// so that a supervisor sees a failure. An application whose <c>Main</c> returns a number returns <see cref="Environment.ExitCode"/>.
    /// </summary>
    StopHost,
}
