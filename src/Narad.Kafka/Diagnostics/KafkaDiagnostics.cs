using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Diagnostics;

/// <summary>What one service reports through: its loggers, its clock, and the names under which tracing and metrics are found. Thread-safe.</summary>
internal sealed class KafkaDiagnostics
{
    /// <summary>The name of the <see cref="System.Diagnostics.ActivitySource"/> and of the <see cref="System.Diagnostics.Metrics.Meter"/>.</summary>
    public const string SourceName = "Narad.Kafka";

    /// <summary>Shared by all services of the process: a listener subscribes to the name once.</summary>
    public static readonly ActivitySource Activities = new(SourceName);

    private readonly ILoggerFactory _loggers;

    // Interlocked.
    private int _indirectClients;

    public KafkaDiagnostics(ILoggerFactory? loggers = null, TimeProvider? time = null)
    {
        _loggers = loggers ?? NullLoggerFactory.Instance;
        HasLogger = loggers is not null;
        Time = time ?? TimeProvider.System;
        Refused = new RefusedClients(Logger<RefusedClients>(), Time);
        Unreachable = new UnreachableBrokers(Logger<UnreachableBrokers>(), Time);
    }

    /// <summary>False without a host or logger: then [DEV] lines go to standard output.</summary>
    public bool HasLogger { get; }

    public TimeProvider Time { get; }

    /// <summary>The clients that brokers refuse.</summary>
    public RefusedClients Refused { get; }

    /// <summary>The brokers that clients cannot reach while others answer.</summary>
    public UnreachableBrokers Unreachable { get; }

    /// <summary>Returns true to the first caller only: one line tells of all clients that are not called directly.</summary>
    public bool IsFirstIndirectClient() => Interlocked.Exchange(ref _indirectClients, 1) == 0;

    /// <summary>A logger that never throws: see <see cref="GuardedLogger"/>.</summary>
    public ILogger Logger<T>() => new GuardedLogger(_loggers.CreateLogger(typeof(T).FullName!));
}
