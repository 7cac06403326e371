using System.Globalization;
using System.Net;

namespace Narad.Kafka.Configuration;

/// <summary>Addresses of brokers as people write them: <c>host:port</c>, separated by commas, spaces allowed.</summary>
internal static class BrokerList
{
    private const int LongestLabel = 63;   // of a name in DNS

    public static string[] Split(string? brokers) =>
        (brokers ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The list as the client takes it: without the spaces.</summary>
    public static string Normalize(string? brokers) => string.Join(',', Split(brokers));

    /// <summary>The list as it is given to programs that show it.</summary>
    public static string Public(string? brokers) => string.Join(',', Split(brokers).Select(broker => Show(broker, brokers)));

    /// <summary>The list for people.</summary>
    public static string Describe(string? brokers) => string.Join(", ", Split(brokers).Select(broker => Show(broker, brokers)));

    /// <summary>An address of a list as it may be shown: not at all where the list looks like one with a secret in it.</summary>
    public static string Show(string broker, string? brokers) =>
        MayHoldSecret(brokers) || !LooksLikeAddress(broker) || !Split(brokers).All(LooksLikeAddress) ? "(not shown: it may hold a secret)" : broker;

    /// <summary>Whether this looks like a user or a connection string in the wrong place; a password may have had a comma.</summary>
    public static bool MayHoldSecret(string? brokers) => brokers.AsSpan().ContainsAny("@=;%?#");

    /// <summary>The host of an address, lower or upper case as written, without the port and the brackets of IPv6.</summary>
    public static string Host(string broker) => Parts(broker).Host;

    /// <summary>Whether an address is one of this machine's own, which no network is between.</summary>
    public static bool IsLoopback(string broker) =>
        Host(broker) is var host
            && (string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase)
                || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address)));

    /// <summary>The port; null where there is none or it is none.</summary>
    public static int? Port(string broker) =>
        int.TryParse(Parts(broker).Port, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536 ? port : null;

    /// <summary>What is wrong with an address, and what to write instead; null where nothing is.</summary>
    /// <param name="broker">The address.</param>
    /// <param name="shown">Whether a part of it may be said again.</param>
    public static string? Error(string broker, bool shown = false)
    {
        if (broker.Contains("Endpoint=sb:", StringComparison.OrdinalIgnoreCase))
        {
            return "this is a connection string: it belongs into the password; write NAMESPACE.servicebus.windows.net:9093 here";
        }

        var scheme = broker.IndexOf("://", StringComparison.Ordinal);
        if (scheme >= 0)
        {
            return $"write host:port without {(shown && LooksLikeAddress(broker) ? broker[..(scheme + 3)] : "a scheme")}";
        }

        if (broker.Any(c => char.IsWhiteSpace(c) || c is ';' or '/' or '@' or '='))
        {
            return "write host:port, and commas between several";
        }

        var (host, port) = Parts(broker);
        if (host.Length == 0)
        {
            return "the host is missing: write host:port";
        }

        if (port is null)
        {
            return $"the port is missing: write {(shown ? host : "host")}:9092, or whichever port the broker listens on";
        }

        return Port(broker) is null ? "the port is no number from 1 to 65535: write host:port" : null;
    }

    // A host's name and a number, or a scheme before them: what is misspelt still looks like that, and a user with a password does not.
    private static bool LooksLikeAddress(string broker)
    {
        var scheme = broker.IndexOf("://", StringComparison.Ordinal);
        var (host, port) = Parts(scheme < 0 ? broker : broker[(scheme + 3)..]);
        return (scheme < 0 || broker[..scheme].All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '+'))
            && host.Split('.').All(static label => label.Length <= LongestLabel && label.All(static c => char.IsLetterOrDigit(c) || c is '-' or '_' or ':'))
            && (port is null || port.All(char.IsAsciiDigit));
    }

    private static (string Host, string? Port) Parts(string broker)
    {
        if (broker.StartsWith('['))
        {
            var end = broker.IndexOf(']', StringComparison.Ordinal);
            return end < 0 ? ("", null) : (broker[1..end], end + 1 < broker.Length && broker[end + 1] == ':' ? broker[(end + 2)..] : null);
        }

        var colon = broker.LastIndexOf(':');
        return colon < 0 ? (broker, null) : (broker[..colon], broker[(colon + 1)..]);
    }
}
