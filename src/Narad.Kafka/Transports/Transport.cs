using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>Makes the transport of a mode that was decided.</summary>
internal static class Transport
{
    public static ITransport For(KafkaMode mode, KafkaOptions options, KafkaDiagnostics diagnostics) => mode switch
    {
        KafkaMode.Kafka => new KafkaTransport(options, diagnostics),
        KafkaMode.Embedded => new EmbeddedTransport(options, diagnostics),
        KafkaMode.Console => new ConsoleTransport(options, diagnostics),
        _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "Auto must be decided before a transport is made."),
    };
}
