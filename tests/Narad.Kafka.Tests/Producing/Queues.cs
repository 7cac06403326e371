using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Tests.Producing;

/// <summary>Everything that was logged.</summary>
internal sealed class Queues : ILoggerFactory, ILogger
{
    public ConcurrentQueue<string> Written { get; } = new();

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        => Written.Enqueue($"{logLevel}: {formatter(state, exception)}");

    public void Dispose()
    {
        // Holds nothing.
    }
}
