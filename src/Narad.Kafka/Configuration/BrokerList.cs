using System.Globalization;

namespace Narad.Kafka.Configuration;

/// <summary>Addresses of brokers as people write them: <c>host:port</c>, separated by commas, spaces allowed.</summary>
internal static class BrokerList
{
    public static string[] Split(string? brokers) =>
        (brokers ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The list as the client takes it: without the spaces.</summary>
    public static string Normalize(string? brokers) => string.Join(',', Split(brokers));

    /// <summary>The list as it is given to programs that show it. What looks like a user or a connection string in the wrong place is not in it.</summary>
    public static string Public(string? brokers) => string.Join(',', Split(brokers).Select(Show));

    /// <summary>The list for people. What looks like a user or a connection string in the wrong place is not shown.</summary>
    public static string Describe(string? brokers) => string.Join(", ", Split(brokers).Select(Show));

    public static string Show(string broker) => broker.AsSpan().ContainsAny("@=;") ? "(not shown: it may hold a secret)" : broker;

    /// <summary>The host of an address, lower or upper case as written, without the port and the brackets of IPv6.</summary>
    public static string Host(string broker) => Parts(broker).Host;

    /// <summary>The port; null where there is none or it is none.</summary>
    public static int? Port(string broker) =>
        int.TryParse(Parts(broker).Port, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536 ? port : null;

    /// <summary>What is wrong with an address, and what to write instead; null where nothing is.</summary>
    public static string? Fault(string broker)
    {
        if (broker.Contains("Endpoint=sb:", StringComparison.OrdinalIgnoreCase))
        {
            return "this is a connection string: it belongs into the password; write NAMESPACE.servicebus.windows.net:9093 here";
        }

        var scheme = broker.IndexOf("://", StringComparison.Ordinal);
        if (scheme >= 0)
        {
            return $"write host:port without {(broker.AsSpan(0, scheme).ContainsAny("@=;") ? "a scheme" : broker[..(scheme + 3)])}";
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
            return $"the port is missing: write {host}:9092, or whichever port the broker listens on";
        }

        return Port(broker) is null ? "the port is no number from 1 to 65535: write host:port" : null;
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
