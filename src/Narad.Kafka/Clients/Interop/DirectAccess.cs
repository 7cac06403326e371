using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Clients.Interop;

/// <summary>
/// Whether the functions of librdkafka can be called on the clients that Confluent.Kafka builds. Where they cannot, Confluent.Kafka's own methods do the
/// same, at about twice the cost. Thread-safe.
/// </summary>
internal static class DirectAccess
{
    private static readonly Lazy<string?> Sending = new(static () => LibrdkafkaClient.Missing(Librdkafka.ProducerFunctions));
    private static readonly Lazy<string?> Consuming = new(static () => LibrdkafkaClient.Missing(Librdkafka.ConsumerFunctions));

    /// <summary>What is missing in these versions of Confluent.Kafka and librdkafka for sending directly; null: nothing.</summary>
    public static string? MissingForSending => Sending.Value;

    /// <summary>As <see cref="MissingForSending"/>, for consuming.</summary>
    public static string? MissingForConsuming => Consuming.Value;

    /// <summary>The version of librdkafka in use, the name of its file, and whether it is called directly: one line for people.</summary>
    public static string Describe()
    {
        try
        {
            var library = $"librdkafka {Library.VersionString}";
            return (MissingForSending ?? MissingForConsuming) is { } missing
                ? $"{library}, through the methods of Confluent.Kafka, which is slower ({missing})"
                : $"{library} ({NativeLibraryResolver.File}), called directly";
        }
        catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException or InvalidOperationException)
        {
            return $"librdkafka cannot be loaded: {exception.Message}";
        }
    }

    /// <summary>
    /// Logs how a client that was just built calls librdkafka: each direct one at Debug; the first one that is not, of a service, at Information.
    /// </summary>
    public static void Log(KafkaDiagnostics diagnostics, string client, string? missing)
    {
        var logger = diagnostics.Logger<KafkaDiagnostics>();
        if (missing is null)
        {
            ClientsLog.Direct(logger, client, Library.VersionString, NativeLibraryResolver.File);
        }
        else if (diagnostics.IsFirstIndirectClient())
        {
            ClientsLog.Indirect(logger, client, Library.VersionString, missing);
        }
    }
}
