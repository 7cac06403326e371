using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Diagnostics;

/// <summary>What the service itself logs. Events 1000 to 1899.</summary>
internal static partial class ServiceLog
{
    [LoggerMessage(1000, LogLevel.Information, "Kafka connected: mode {Mode}, {Brokers}.")]
    public static partial void Connected(ILogger logger, KafkaMode mode, string brokers);

    [LoggerMessage(1013, LogLevel.Information, "Kafka is in mode Console: connected to no broker, messages are only logged.")]
    public static partial void ConnectedToConsole(ILogger logger);

    [LoggerMessage(1014, LogLevel.Information, "Kafka disconnected (mode Console): {Logged} logged and not sent, {Failed} failed, {Unknown} unknown.")]
    public static partial void DisconnectedFromConsole(ILogger logger, long logged, long failed, long unknown);

    [LoggerMessage(1001, LogLevel.Debug, "The sending side is connected: mode {Mode}, {Brokers}.")]
    public static partial void ProducerConnected(ILogger logger, KafkaMode mode, string brokers);

    [LoggerMessage(1002, LogLevel.Debug, "Group '{Group}' is connected: mode {Mode}, {Brokers}.")]
    public static partial void ConsumerConnected(ILogger logger, string group, KafkaMode mode, string brokers);

    [LoggerMessage(1003, LogLevel.Information, "Kafka disconnected (mode {Mode}): {Delivered} delivered, {Late} late, {Failed} failed, {Unknown} unknown.")]
    public static partial void Disconnected(ILogger logger, KafkaMode mode, long delivered, long late, long failed, long unknown);

    [LoggerMessage(1004, LogLevel.Warning, "Kafka configuration: {Warning}")]
    public static partial void ConfigurationWarning(ILogger logger, string warning);

    [LoggerMessage(1005, LogLevel.Critical, "A subscription ended by itself; the service's Completion is faulted.")]
    public static partial void Faulted(ILogger logger, Exception error);

    [LoggerMessage(1006, LogLevel.Warning, "No broker of {Brokers} answers any more; sends wait until their timeout{Reason}")]
    public static partial void ConnectionLost(ILogger logger, string brokers, string reason);

    [LoggerMessage(1007, LogLevel.Information, "A broker of {Brokers} answers again.")]
    public static partial void ConnectionBack(ILogger logger, string brokers);

    [LoggerMessage(1008, LogLevel.Warning,
        "NO KAFKA BROKER answered at {Brokers} within {Timeout}, and the environment is Development: nothing will be sent or received, messages are only "
            + "logged. Start a broker, or set KAFKA_MODE=Embedded for one inside this process. {Reason}")]
    public static partial void FellBackToConsole(ILogger logger, string brokers, string timeout, string reason);

    [LoggerMessage(1010, LogLevel.Warning, "Joining the groups takes longer than {Timeout}; the application starts meanwhile.")]
    public static partial void JoinTakesLong(ILogger logger, string timeout);

    [LoggerMessage(
        1011, LogLevel.Error, "A subscription could not be started: stopping the host. The process ends with exit code 1, unless Main returns another one.")]
    public static partial void JoinFailed(ILogger logger, Exception error);

    [LoggerMessage(1012, LogLevel.Critical,
        "A handler failed and OnUnhandled is StopHost: stopping the host. The process ends with exit code 1, unless Main returns another one.")]
    public static partial void StoppingHost(ILogger logger);

    [LoggerMessage(1009, LogLevel.Warning, "No broker answered at {Brokers} within {Timeout}; starting without one, as StartWithoutBroker says. {Reason}")]
    public static partial void StartedWithoutBroker(ILogger logger, string brokers, string timeout, string reason);

    [LoggerMessage(1015, LogLevel.Error, "Kafka at {Brokers} cannot be worked with, and trying again will not help until something is changed: {Reason}")]
    public static partial void ConnectionRefused(ILogger logger, string brokers, string reason);

    [LoggerMessage(1016, LogLevel.Error, "{Client} is refused by a broker, and trying again will not help until something is changed: {Reason}")]
    public static partial void ClientRefused(ILogger logger, string client, string reason);

    [LoggerMessage(1017, LogLevel.Warning,
        "Kafka:ShutdownTimeout is {Own}, and the host stops waiting after {Host} (HostOptions.ShutdownTimeout): handlers that still run then are cancelled. "
            + "Raise the host's limit, or lower Kafka:ShutdownTimeout.")]
    public static partial void HostStopsEarlier(ILogger logger, string own, string host);

    [LoggerMessage(1018, LogLevel.Warning,
        "The host stopped waiting before Kafka was disconnected; it had {Limit}. What was not committed is handled again. Raise HostOptions.ShutdownTimeout, "
            + "or lower Kafka:ShutdownTimeout.")]
    public static partial void HostStoppedWaiting(ILogger logger, string limit);

    [LoggerMessage(1019, LogLevel.Error, "Disconnecting from Kafka failed. What was not committed is handled again.")]
    public static partial void DisconnectFailed(ILogger logger, Exception error);

    [LoggerMessage(1020, LogLevel.Warning, "{Setting} of the configuration is overruled by code: remove one of them.")]
    public static partial void SubscriptionSettingOverruled(ILogger logger, string setting);

    [LoggerMessage(1021, LogLevel.Warning,
        "No subscription uses the section {Section}, so its settings do nothing.{Meant} A section is named as the topic or the Name of a subscription. "
            + "Subscriptions so far: {Names}.")]
    public static partial void SubscriptionSectionUnused(ILogger logger, string section, string meant, string names);
}
