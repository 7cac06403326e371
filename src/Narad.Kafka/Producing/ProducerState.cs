namespace Narad.Kafka.Producing;

/// <summary>
/// What the sending side is doing. Changed only by <see cref="ProducerLife"/>, under the lock of <see cref="SendQueue"/>; the table is in its remarks.
/// </summary>
internal enum ProducerState
{
    /// <summary>Not connected yet.</summary>
    New,

    /// <summary>A client takes sends.</summary>
    Running,

    /// <summary>A fatal error ended the client; another one is being built and sends wait in the queue.</summary>
    Rebuilding,

    /// <summary>The broker refuses this client's identity; sends fail at once with that reason.</summary>
    Refused,

    /// <summary>Stopped; sends throw <see cref="KafkaNotConnectedException"/>.</summary>
    Stopped,
}
