using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Configuration;

/// <summary>What extensions of <see cref="IKafkaService"/> may know of the service they extend. The service implements it.</summary>
internal interface IServiceSettings
{
    KafkaOptions Options { get; }

    KafkaDiagnostics Diagnostics { get; }
}
