using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Narad.Samples;

/// <summary>
/// One line an entry, behind the name of the role: <c>api│ 12:00:00.123 info: …</c>. In colour on a terminal, unless NO_COLOR is set. Thread-safe.
/// </summary>
internal sealed class SampleConsole(IOptionsMonitor<SampleConsole.Options> options) : ConsoleFormatter(nameof(SampleConsole))
{
    // The first role of a sample is not always the same colour, and a role always is.
    private static readonly string[] Colours = ["\e[36m", "\e[35m", "\e[33m", "\e[32m", "\e[34m"];

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var text = logEntry.Formatter(logEntry.State, logEntry.Exception);
        if (logEntry.Exception is { } exception)
        {
            text = $"{text}\n{exception}";
        }

        var current = options.CurrentValue;
        var time = TimeProvider.System.GetLocalNow().ToString("HH:mm:ss.fff", System.Globalization.CultureInfo.InvariantCulture);
        var (level, colour) = LevelOf(logEntry.LogLevel);
        var (start, tint, end) = current.Coloured
            ? (Colours[current.Role.Sum(static letter => letter) % Colours.Length], colour, "\e[0m")
            : ("", "", "");
        var first = true;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            textWriter.Write($"{start}{current.Role}│{end} ");
            textWriter.Write(first ? $"{time} {tint}{level}{(tint.Length > 0 ? end : "")}: " : "    ");
            textWriter.WriteLine(line);
            first = false;
        }
    }

    private static (string Text, string Colour) LevelOf(LogLevel level) => level switch
    {
        LogLevel.Critical => ("crit", "\e[31m"),
        LogLevel.Error => ("fail", "\e[31m"),
        LogLevel.Warning => ("warn", "\e[33m"),
        LogLevel.Information => ("info", "\e[32m"),
        LogLevel.Debug => ("dbug", ""),
        _ => ("trce", ""),
    };

    /// <summary>How lines look.</summary>
    internal sealed class Options : ConsoleFormatterOptions
    {
        public string Role { get; set; } = "";

        public bool Coloured { get; set; }
    }
}

/// <summary>Logs of samples.</summary>
internal static class SampleConsoleExtensions
{
    public static void AddSampleConsole(this ILoggingBuilder logging, string role)
    {
        logging.ClearProviders();
        logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        logging.AddConsole(static console => console.FormatterName = nameof(SampleConsole));
        logging.AddConsoleFormatter<SampleConsole, SampleConsole.Options>(options =>
        {
            options.Role = role;
            options.Coloured = IsColoured();
        });
    }

    // The variable is the one by which .NET's own console writes colours into a pipe; samples/run sets it where it writes to a terminal.
    private static bool IsColoured() => string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        && (!Console.IsOutputRedirected || Environment.GetEnvironmentVariable("DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION") is "1" or "true");
}
