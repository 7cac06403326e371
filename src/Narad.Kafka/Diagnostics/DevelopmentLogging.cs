using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Narad.Kafka.Diagnostics;

/// <summary>
/// In the Development environment shows this library's Debug events (connection, sent, received) without configuration. It comes first among the
/// rules, so that whatever the application says about the category <c>Narad.Kafka</c> wins.
/// </summary>
internal sealed class DevelopmentLogging(IHostEnvironment? environment = null) : IConfigureOptions<LoggerFilterOptions>
{
    public void Configure(LoggerFilterOptions options)
    {
        if (environment?.IsDevelopment() is true)
        {
            options.Rules.Insert(0, new LoggerFilterRule(providerName: null, KafkaDiagnostics.SourceName, LogLevel.Debug, filter: null));
        }
    }
}
