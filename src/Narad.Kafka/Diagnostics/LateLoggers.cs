using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Diagnostics;

/// <summary>
/// The container's loggers, resolved when something is logged first: a logger provider may take the Kafka service, and would otherwise wait for itself.
/// What is logged while the container still creates its loggers is lost. Thread-safe.
/// </summary>
internal sealed class LateLoggers(IServiceProvider services) : ILoggerFactory
{
    [ThreadStatic]
    private static bool s_resolving;

    private volatile ILoggerFactory? _loggers;

    public ILogger CreateLogger(string categoryName) => new LateLogger(this, categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("Providers are added to the container's logging.");

    public void Dispose()
    {
        // The container disposes its own.
    }

    private ILogger? Find(string category)
    {
        if (_loggers is null && !s_resolving)
        {
            s_resolving = true;
            try
            {
                _loggers = services.GetRequiredService<ILoggerFactory>();
            }
            finally
            {
                s_resolving = false;
            }
        }

        return _loggers?.CreateLogger(category);
    }

    private sealed class LateLogger(LateLoggers loggers, string category) : ILogger
    {
        private volatile ILogger? _logger;

        private ILogger? Logger => _logger ??= loggers.Find(category);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => Logger?.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => Logger?.IsEnabled(logLevel) ?? false;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Logger?.Log(logLevel, eventId, state, exception, formatter);
    }
}
