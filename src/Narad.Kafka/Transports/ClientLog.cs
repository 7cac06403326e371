using System.Threading.Channels;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>
/// Carries a client's log lines from librdkafka's threads, where they arise, to a logger, which is the application's code and must not run
/// there, without the client's secrets. Thread-safe; <see cref="Write"/> never blocks and never throws: beyond 1,000 waiting lines it drops and counts.
/// </summary>
internal sealed class ClientLog
{
    private readonly Channel<LogMessage> _lines = Channel.CreateBounded<LogMessage>(
        new BoundedChannelOptions(1_000) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    private readonly ILogger _logger;
    private readonly SecretHiding _secrets;
    private long _dropped;

    public ClientLog(ILogger logger, SecretHiding secrets)
    {
        _logger = logger;
        _secrets = secrets;
        _ = Task.Run(DrainAsync);
    }

    /// <summary>Takes a line; for <c>SetLogHandler</c>.</summary>
    public void Write(LogMessage line)
    {
        if (!_lines.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref _dropped);
        }
    }

    /// <summary>Ends the draining, after what was taken; later lines are dropped.</summary>
    public void Complete() => _lines.Writer.TryComplete();

    // A broker that is away is told by ConnectionFault and by whoever waits for it: the client's own lines about it are no errors of ours.
    private static LogLevel LevelOf(SyslogLevel level) => level switch
    {
        <= SyslogLevel.Warning => LogLevel.Warning,
        SyslogLevel.Notice or SyslogLevel.Info => LogLevel.Debug,
        _ => LogLevel.Trace,
    };

    private async Task DrainAsync()
    {
        await foreach (var line in _lines.Reader.ReadAllAsync())
        {
            TransportLog.ClientLine(_logger, LevelOf(line.Level), line.Name, line.Facility, ForeignText.Reason(_secrets.Hide(line.Message)));
            if (Interlocked.Exchange(ref _dropped, 0) is > 0 and var dropped)
            {
                TransportLog.ClientLinesDropped(_logger, dropped);
            }
        }
    }
}
