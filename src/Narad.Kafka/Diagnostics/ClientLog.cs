using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Diagnostics;

/// <summary>Passes librdkafka's own log lines on, at the level they came with. Event 1900.</summary>
internal static partial class ClientLog
{
    public static void Write(ILogger logger, LogMessage message)
    {
        var level = message.Level switch
        {
            SyslogLevel.Emergency or SyslogLevel.Alert or SyslogLevel.Critical => LogLevel.Critical,
            SyslogLevel.Error => LogLevel.Error,
            SyslogLevel.Warning => LogLevel.Warning,
            SyslogLevel.Notice or SyslogLevel.Info => LogLevel.Information,
            _ => LogLevel.Debug,
        };
        Line(logger, level, message.Name, message.Facility, message.Message);
    }

    [LoggerMessage(EventId = 1900, Message = "librdkafka {Client} {Facility}: {Text}")]
    private static partial void Line(ILogger logger, LogLevel level, string client, string facility, string text);
}
