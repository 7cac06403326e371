namespace Narad.Kafka;

/// <summary>
/// The service was asked to send or subscribe before it was connected, or after it was disconnected. The message contains "not connected".
/// A broker's outage after connecting is not this: sends then wait until their timeout.
/// </summary>
public sealed class KafkaNotConnectedException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    public KafkaNotConnectedException(string message)
        : base(message)
    {
    }
}
