using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>Keeps what a service logged. Thread-safe.</summary>
internal sealed class LogLines : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyCollection<string> All => _lines;

    public int Count(string start) => _lines.Count(line => line.StartsWith(start, StringComparison.Ordinal));

    /// <summary>Those that begin with one of the texts, cut down to it, in their order.</summary>
    public IEnumerable<string> Of(params string[] starts) =>
        _lines.Select(line => starts.FirstOrDefault(start => line.StartsWith(start, StringComparison.Ordinal))).OfType<string>();

    public ILogger CreateLogger(string categoryName) => new Logger(_lines);

    public void Dispose()
    {
        // Kept for the test to read.
    }

    private sealed class Logger(ConcurrentQueue<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                lines.Enqueue(formatter(state, exception));
            }
        }
    }
}
