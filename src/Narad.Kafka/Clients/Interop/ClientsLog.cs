using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Clients.Interop;

/// <summary>How clients are called. Events 4100 to 4199.</summary>
internal static partial class ClientsLog
{
    [LoggerMessage(4100, LogLevel.Debug, "{Client} calls librdkafka {Version} ({Library}) directly.")]
    public static partial void Direct(ILogger logger, string client, string version, string library);

    [LoggerMessage(4101, LogLevel.Information,
        "{Client} calls librdkafka {Version} through the methods of Confluent.Kafka instead of directly: {Missing}. Sending and consuming work the same, but "
            + "take about twice the processor time. With the version of Confluent.Kafka that this package depends on, librdkafka is called directly. Logged "
            + "once.")]
    public static partial void Indirect(ILogger logger, string client, string version, string missing);
}
