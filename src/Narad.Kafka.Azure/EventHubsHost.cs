using System.Buffers;
using System.Globalization;

namespace Narad.Kafka.Azure;

/// <summary>The host of an Event Hubs namespace, in whichever of Azure's clouds.</summary>
internal static class EventHubsHost
{
    private static readonly string[] Suffixes = [".servicebus.windows.net", ".servicebus.chinacloudapi.cn", ".servicebus.usgovcloudapi.net"];
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-");

    /// <summary>Of a namespace: its name, or its whole host, with or without a port.</summary>
    /// <exception cref="ArgumentException">It is neither.</exception>
    public static string Of(string eventHubs)
    {
        var parts = eventHubs.Trim().ToLowerInvariant().Split(':');
        var host = parts[0].Contains('.', StringComparison.Ordinal) ? parts[0] : parts[0] + Suffixes[0];
        return Array.Exists(Suffixes, suffix => IsBelow(host, suffix))
            && (parts.Length == 1 || (parts.Length == 2 && ushort.TryParse(parts[1], CultureInfo.InvariantCulture, out _)))
            ? host
            : throw new ArgumentException(
                $"'{eventHubs}' is no Event Hubs namespace: write its name, or its host such as my-namespace.servicebus.windows.net.", nameof(eventHubs));
    }

    /// <summary>The first of a list of brokers that is one; null where none is.</summary>
    public static string? OfBrokers(string brokers) =>
        brokers.Split(',').Select(static broker => broker.Trim().Split(':')[0].ToLowerInvariant())
            .FirstOrDefault(static host => Array.Exists(Suffixes, suffix => IsBelow(host, suffix)));

    private static bool IsBelow(string host, string suffix) =>
        host.EndsWith(suffix, StringComparison.Ordinal) && host.Length > suffix.Length
            && host.AsSpan(0, host.Length - suffix.Length).IndexOfAnyExcept(NameCharacters) < 0;
}
