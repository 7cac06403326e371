using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Tests.Service;

/// <summary>A logger is the application's code: one that throws (a full disk) costs its log lines and nothing else.</summary>
public sealed class ThrowingLoggerTests
{
    [Fact]
    [Trait("Promise", "S7")]
    [Trait("Promise", "S10")]
    [Trait("Promise", "S12")]
    [Trait("Trap", "throwing-callback")]
    public async Task A_logger_that_throws_loses_no_message_and_stops_nobody()
    {
        using var broker = EmbeddedBroker.Start();
        using var loggers = new ThrowingLoggers();
        var options = new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = broker, ShutdownTimeout = TimeSpan.FromSeconds(10) };
        await using var kafka = new KafkaService(options, loggers);
        await kafka.ConnectProducerAsync().WaitAsync(Waiting.Deadline);
        await kafka.ConnectConsumerAsync("g").WaitAsync(Waiting.Deadline);
        var handled = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        await kafka.SubscribeAsync<string>(
            "orders",
            (message, context, _) =>
            {
                if (context.Attempt == 1)
                {
                    throw new InvalidOperationException("once");
                }

                handled.TryAdd(message, 1);
                return Task.CompletedTask;
            },
            configure: s => s.Retry.InMemory.MaxAttempts = 1).WaitAsync(Waiting.Deadline);
        for (var i = 0; i < 20; i++)
        {
            await kafka.SendAsync("orders", $"{i}", $"k{i % 3}").AsTask().WaitAsync(Waiting.Deadline);
        }

        await Waiting.Until(() => handled.Count == 20, "each is handled when its first attempt failed");
        loggers.Thrown.Should().BePositive();
        var report = await kafka.DisconnectAsync().WaitAsync(Waiting.Deadline);
        report.Abandoned.Should().BeEmpty();
        report.Delivered.Should().Be(20);
    }

    private sealed class ThrowingLoggers : ILoggerFactory, ILogger
    {
        private int _thrown;

        public int Thrown => _thrown;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => throw new IOException("No space left on device.");

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Interlocked.Increment(ref _thrown);
            throw new IOException("No space left on device.");
        }

        public void Dispose()
        {
            // Nothing to free.
        }
    }
}
