namespace Narad.Kafka.Testing;

/// <summary>What a <see cref="KafkaHarness"/> was asked to wait for did not happen in time; the message lists what it saw instead.</summary>
public sealed class HarnessTimeoutException : TimeoutException
{
    /// <summary>Creates the exception.</summary>
    public HarnessTimeoutException(string message)
        : base(message)
    {
    }
}
