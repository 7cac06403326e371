using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Diagnostics;

/// <summary>
/// The application's logger, from which no exception comes: one out of a rebalance callback would lose messages, and one out of a worker or the thread
/// would end. A line that could not be written is lost; where to say so is only the process's trace. Text from outside is escaped and cut on its way
/// (<see cref="ForeignText"/>).
/// </summary>
/// <remarks>Thread-safe, as the logger is.</remarks>
internal sealed class GuardedLogger(ILogger logger) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => logger.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return logger.IsEnabled(logLevel);
        }
        catch (Exception error)
        {
            Tell(error);
            return false;
        }
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            logger.Log(logLevel, eventId, state, Shown(exception), (shown, error) => ForeignText.Message(formatter(shown, error)));
        }
        catch (Exception error)
        {
            if (exception is not null && ExceptionText.CannotBeWritten(exception))
            {
                // The line is written all the same, with what can be said of the exception.
                Log<TState>(logLevel, eventId, state, new InvalidOperationException($"{exception.GetType()}: {ExceptionText.Message(exception)}"), formatter);
                return;
            }

            Tell(error);
        }
    }

    // Its message may quote a broker, a provider or a record.
    private static Exception? Shown(Exception? exception)
    {
        for (var error = exception; error is not null; error = error.InnerException)
        {
            if (ForeignText.IsUnsafe(error.Message ?? ""))
            {
                return new EscapedException(ForeignText.Lines(exception!.ToString()));
            }
        }

        return exception;
    }

    private static void Tell(Exception error) => System.Diagnostics.Trace.TraceError("Narad.Kafka: the application's logger threw: {0}", error);

    /// <summary>Stands in a log for an exception whose text would write to a terminal or fill the log.</summary>
    private sealed class EscapedException(string text) : Exception(text)
    {
        public override string ToString() => Message;
    }
}
