using Confluent.Kafka;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Configuration;
using Narad.Kafka.Security;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Transports;

/// <summary>
/// Where a service's clients connect to. Chosen once per service; what is above it (producing, consuming) is the same for all modes.
/// Thread-safe. Disposed last, after every client that was built from it.
/// </summary>
internal interface ITransport : IAsyncDisposable
{
    /// <summary>Kafka, Embedded or Console; never Auto.</summary>
    KafkaMode Mode { get; }

    /// <summary>What clients connect to; empty in Console.</summary>
    string BootstrapServers { get; }

    /// <summary>The configuration of every client that is built for this transport.</summary>
    ClientSettings Clients { get; }

    /// <summary>The administration client; null in Console.</summary>
    AdminConnection? Admin { get; }

    /// <summary>Topics through this transport.</summary>
    IKafkaTopics Topics { get; }

    /// <summary>What topics hold, through this transport; null in Console.</summary>
    TopicRecords? Records { get; }

    /// <summary>Holds sends back where the broker would drop what nobody has consumed; null where it would not.</summary>
    ISendBackpressure? Backpressure { get; }

    /// <summary>
    /// Hands tokens to clients: every client that is built for this transport is added to it, and removed before it is closed. Null where none is needed.
    /// </summary>
    TokenRefresher? Tokens { get; }

    /// <summary>Whether a broker answers within <paramref name="timeout"/>. Never throws, except for cancellation; false in Console.</summary>
    Task<bool> ProbeAsync(TimeSpan timeout, CancellationToken cancellationToken);

    /// <summary>Why no broker can be worked with, as far as the administration client has found out; null while one answers.</summary>
    ConnectionFault? ConnectionFault { get; }

    /// <summary>The cluster's name and the brokers that are up, each with the address that it names for itself.</summary>
    /// <exception cref="KafkaException">No broker answered, or it refused.</exception>
    /// <exception cref="TimeoutException">The client did not even say that it timed out.</exception>
    /// <exception cref="NotSupportedException">In Console there is none.</exception>
    Task<ClusterMetadata> DescribeClusterAsync(TimeSpan timeout, CancellationToken cancellationToken);
}
