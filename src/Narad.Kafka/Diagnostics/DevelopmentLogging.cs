using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Narad.Kafka.Diagnostics;

/// <summary>
/// In the Development environment shows this library's Debug events (connection, sent, received) without configuration. A level that the application
/// configured, for all categories or for this
/// one, wins.
/// </summary>
internal sealed class DevelopmentLogging(IHostEnvironment? environment = null) : IPostConfigureOptions<LoggerFilterOptions>
{
    // The level of a LoggerFilterOptions that nobody configured.
    private static readonly LogLevel Unset = new LoggerFilterOptions().MinLevel;

    public void PostConfigure(string? name, LoggerFilterOptions options)
    {
        if (environment?.IsDevelopment() is true && options.MinLevel is var level && (level == Unset || level == LogLevel.Information)
            && !options.Rules.Any(IsDefault))
        {
            options.Rules.Insert(0, new LoggerFilterRule(providerName: null, KafkaDiagnostics.SourceName, LogLevel.Debug, filter: null));
        }
    }

    private static bool IsDefault(LoggerFilterRule rule) =>
        rule is { LogLevel: not null, ProviderName: null, CategoryName: null or "" or KafkaDiagnostics.SourceName };
}
