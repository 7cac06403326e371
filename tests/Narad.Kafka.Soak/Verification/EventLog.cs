using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Verification;

/// <summary>What the library logged: every line in a file, and how often each event came. Thread-safe.</summary>
internal sealed class EventLog(string file) : ILoggerFactory
{
    private readonly StreamWriter _file = new(file, append: false) { AutoFlush = true };
    private readonly ConcurrentDictionary<string, int> _counts = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _all = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Told the name of every event that is counted. On the library's threads: must not throw.</summary>
    public Action<string>? Seen { get; set; }

    /// <summary>The file.</summary>
    public string File => file;

    /// <summary>
    /// How long before an event what was finished may not have been committed, and so may be handled again; null where it says nothing of that. It may: a
    /// commit that the broker refuses, as in the middle of a rebalance; a handler that its revoke deadline or the end of its member interrupts; a copy whose
    /// publication failed and may be there; and a partition that is lost, since the broker has heard nothing of its member for a session then.
    /// </summary>
    public static TimeSpan? Uncommitted(string name) => name switch
    {
        "Lost" => Recorder.BeforeFault + MemberOptions.Session,
        "CommitFailed" or "RevokeDeadline" or "PublishFailed" or "RepublishFailed" or "CloseAbandoned" => Recorder.BeforeFault,
        _ => null,
    };

    public int Count(string name) => _counts.GetValueOrDefault(name);

    /// <summary>Whether it came at all, at any level.</summary>
    public bool Has(string name) => _all.ContainsKey(name);

    public string Summary() =>
        _counts.IsEmpty ? "nothing" : string.Join(", ", _counts.OrderByDescending(count => count.Value).Select(count => $"{count.Key} ×{count.Value}"));

    public void Note(string text)
    {
        lock (_lock)
        {
            _file.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} ---- {text}");
        }
    }

    /// <summary>The log of one member.</summary>
    public ILoggerFactory For(string member) => new Factory(this, member);

    public ILogger CreateLogger(string categoryName) => new Logger(this, "", categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose() => _file.Dispose();

    private sealed class Factory(EventLog log, string member) : ILoggerFactory
    {
        public ILogger CreateLogger(string categoryName) => new Logger(log, member, categoryName);

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public void Dispose()
        {
            // The file is the program's.
        }
    }

    private sealed class Logger(EventLog log, string member, string category) : ILogger
    {
        private readonly LogLevel _least = category.EndsWith(".PollLoop", StringComparison.Ordinal) ? LogLevel.Debug : LogLevel.Information;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= _least;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            log._all.TryAdd(eventId.Name ?? category, true);
            if (logLevel >= LogLevel.Warning || eventId.Id is 3001 or 3002)
            {
                log._counts.AddOrUpdate(eventId.Name ?? category, 1, static (_, count) => count + 1);
                log.Seen?.Invoke(eventId.Name ?? category);
            }

            lock (log._lock)
            {
                log._file.WriteLine(
                    $"{DateTime.UtcNow:HH:mm:ss.fff} {logLevel} {member} {eventId.Id} "
                        + $"{formatter(state, exception)}{(exception is null ? "" : $" | {exception.GetType().Name}: {exception.Message}")}");
            }
        }
    }
}
