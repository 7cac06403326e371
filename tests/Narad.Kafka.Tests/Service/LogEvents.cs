using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Tests.Service;

/// <summary>Keeps what was logged, so that tests can ask for it. Thread-safe.</summary>
internal sealed class LogEvents : ILoggerProvider, ILoggerFactory
{
    private readonly ConcurrentQueue<LogEvent> _events = new();

    public IReadOnlyList<LogEvent> All => [.. _events];

    public int Count(int id) => _events.Count(logged => logged.Id == id);

    public LogEvent The(int id) => _events.Single(logged => logged.Id == id);

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
        // Kept for the test to read.
    }

    private sealed class Logger(LogEvents events, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            events._events.Enqueue(new LogEvent(eventId.Id, logLevel, category, formatter(state, exception), exception));
    }
}

internal sealed record LogEvent(int Id, LogLevel Level, string Category, string Message, Exception? Error);
