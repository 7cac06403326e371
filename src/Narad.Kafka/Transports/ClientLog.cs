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
    private readonly UnreachableBrokers? _unreachable;
    private readonly OncePerKind<string> _news;
    private long _dropped;

    /// <summary>Starts the draining.</summary>
    /// <param name="logger">Where the lines go.</param>
    /// <param name="secrets">What must not be in them.</param>
    /// <param name="time">The clock.</param>
    /// <param name="unreachable">Told of connections that fail.</param>
    public ClientLog(ILogger logger, SecretHiding secrets, TimeProvider time, UnreachableBrokers? unreachable = null)
    {
        _logger = logger;
        _secrets = secrets;
        _unreachable = unreachable;
        _news = new OncePerKind<string>(time, ClientError.Lapse);
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

    // The library logs an explanation of its own for connections that fail (FAIL, ERROR), for requests that get no answer in time (REQTMOUT) and for
    // transactions that end (TXNERR). The other
    // warnings are the client's alone: each kind once while it lasts.
    private LogLevel LevelOf(SyslogLevel level, string facility) => level switch
    {
        <= SyslogLevel.Warning => facility is "FAIL" or "ERROR" or "REQTMOUT" or "TXNERR" || !_news.IsDue(facility) ? LogLevel.Debug : LogLevel.Warning,
        SyslogLevel.Notice or SyslogLevel.Info => LogLevel.Debug,
        _ => LogLevel.Trace,
    };

    private async Task DrainAsync()
    {
        await foreach (var line in _lines.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            var text = _secrets.Hide(line.Message);
            if (line.Facility is "FAIL")
            {
                _unreachable?.Failed(text);
            }

            TransportLog.ClientLine(_logger, LevelOf(line.Level, line.Facility), line.Name, line.Facility, ForeignText.Reason(text));
            if (Interlocked.Exchange(ref _dropped, 0) is > 0 and var dropped)
            {
                TransportLog.ClientLinesDropped(_logger, dropped);
            }
        }
    }
}
