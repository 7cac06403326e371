using Confluent.Kafka;

namespace Narad.Kafka.Configuration;

/// <summary>
/// The configuration of every Confluent client, from validated <see cref="KafkaOptions"/>: security once, the promises' settings, the user's
/// raw properties last (each only to clients that know it). Thread-safe: every call returns a new configuration.
/// </summary>
internal sealed class ClientSettings
{
    public ClientSettings(KafkaOptions options, string bootstrapServers, bool embedded)
    {
        Options = options;
        BootstrapServers = bootstrapServers;
        Embedded = embedded;
    }

    public KafkaOptions Options { get; }

    public string BootstrapServers { get; }

    public bool Embedded { get; }

    public ProducerConfig Producer() => new() { BootstrapServers = BootstrapServers };

    public ConsumerConfig Consumer(string group) => new() { BootstrapServers = BootstrapServers, GroupId = group };

    public AdminClientConfig Admin() => new() { BootstrapServers = BootstrapServers };
}
