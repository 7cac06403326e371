using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Transports;

/// <summary>What the transports log: events 4000 to 4999.</summary>
internal static partial class TransportLog
{
    [LoggerMessage(4001, LogLevel.Information, "The embedded broker runs in this process and listens on {BootstrapServers}; what it holds is lost at exit.")]
    public static partial void EmbeddedBrokerStarted(ILogger logger, string bootstrapServers);

    [LoggerMessage(
        4002, LogLevel.Warning, "The administration client for {BootstrapServers} did not close within {Seconds} s (a broker hangs); it is left to itself.")]
    public static partial void AdminAbandoned(ILogger logger, string bootstrapServers, double seconds);

    [LoggerMessage(EventId = 4004, Message = "{Client} {Facility}: {Text}")]
    public static partial void ClientLine(ILogger logger, LogLevel level, string client, string facility, string text);

    [LoggerMessage(4005, LogLevel.Warning, "{Count} log lines of the Kafka client were left out: the logger was slower than they came.")]
    public static partial void ClientLinesDropped(ILogger logger, long count);

    [LoggerMessage(4006, LogLevel.Error, "The administration client for {BootstrapServers} cannot be built: check the configuration. {Reason}")]
    public static partial void AdminNotBuilt(ILogger logger, string bootstrapServers, string reason);

    [LoggerMessage(4007, LogLevel.Error, "The administration client for {BootstrapServers} failed while closing.")]
    public static partial void AdminCloseFailed(ILogger logger, Exception exception, string bootstrapServers);

    [LoggerMessage(4008, LogLevel.Debug, "The offsets committed in topic {Topic} could not be read: {Reason}. Sends that wait for room ask again.")]
    public static partial void CommittedNotRead(ILogger logger, string topic, string reason);

    [LoggerMessage(4009, LogLevel.Debug, "The certificate of {Broker} could not be looked at: {Reason}.")]
    public static partial void CertificateNotSeen(ILogger logger, string broker, string reason);

    [LoggerMessage(4011, LogLevel.Warning, "Broker {Broker} cannot be reached, while others answer: {Reason}. Clients keep trying; what only it has waits.")]
    public static partial void BrokerUnreachable(ILogger logger, string broker, string reason);

    [LoggerMessage(4012, LogLevel.Information, "No client complains about broker {Broker} any more.")]
    public static partial void BrokerReachable(ILogger logger, string broker);

    [LoggerMessage(4010, LogLevel.Warning, "The administration client for {BootstrapServers} died ({Reason}). Another one is built {When}.")]
    public static partial void AdminDied(ILogger logger, string bootstrapServers, string reason, string when);
}
