namespace Narad.Kafka.Configuration;

/// <summary>
/// The variables that Kubernetes adds to every container for each service of its namespace: of a service <c>kafka-topic-exporter</c>,
/// <c>KAFKA_TOPIC_EXPORTER_PORT=tcp://…</c> and <c>KAFKA_TOPIC_EXPORTER_SERVICE_HOST</c> among others. They look like settings, and nobody wrote them.
/// </summary>
internal static class ServiceLinks
{
    private const string Port = "_PORT";
    private const string Prefix = "KAFKA";

    private static readonly string[] Protocols = ["tcp://", "udp://", "sctp://"];

    /// <summary>The names, sorted, of the variables that begin with <c>KAFKA</c> and belong to a service.</summary>
    public static IReadOnlyCollection<string> Find(IReadOnlyDictionary<string, string> variables)
    {
        // A service is known by the address of its first port; the others have names that its own name begins.
        var services = variables
            .Where(static variable => variable.Key.StartsWith(Prefix, StringComparison.Ordinal) && variable.Key.EndsWith(Port, StringComparison.Ordinal)
                && IsAddress(variable.Value))
            .Select(static variable => variable.Key[..^Port.Length])
            .ToList();
        return services.Count == 0
            ? []
            : [.. variables.Keys.Where(name => services.Exists(service => IsOf(service, name))).Order(StringComparer.Ordinal)];
    }

    private static bool IsOf(string service, string name) =>
        name.StartsWith(service, StringComparison.Ordinal) && name[service.Length..] is var rest
        && (rest is Port or "_SERVICE_HOST" or "_SERVICE_PORT" || rest.StartsWith("_SERVICE_PORT_", StringComparison.Ordinal)
            || (rest.StartsWith("_PORT_", StringComparison.Ordinal) && rest.Length > 6 && char.IsAsciiDigit(rest[6])));

    private static bool IsAddress(string value) => Array.Exists(Protocols, protocol => value.StartsWith(protocol, StringComparison.Ordinal));
}
