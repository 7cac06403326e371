using System.Diagnostics.CodeAnalysis;

namespace Narad.Kafka.Configuration;

/// <summary>
/// The connection string of an Event Hubs namespace, which is the password of user <c>$ConnectionString</c>. Holds a secret: nothing here shows more of it
/// than the host and the event hub.
/// </summary>
internal sealed class EventHubsConnectionString
{
    public const string User = "$ConnectionString";

    private const string Instead = "write Endpoint=sb://NAMESPACE.servicebus.windows.net/;SharedAccessKeyName=…;SharedAccessKey=…, as the portal shows it";

    private readonly Dictionary<string, string> _parts;

    private EventHubsConnectionString(Dictionary<string, string> parts, string host)
    {
        _parts = parts;
        Host = host;
    }

    /// <summary>The namespace's host.</summary>
    public string Host { get; }

    /// <summary>The one event hub that the key is for; null where it is for all of the namespace.</summary>
    public string? EntityPath => _parts.GetValueOrDefault("EntityPath");

    /// <summary>Reads a text that names an endpoint, whatever else is missing.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out EventHubsConnectionString? connection)
    {
        connection = null;
        var parts = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var part in (text ?? "").Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            // A key ends in "=" characters of its own.
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            parts[equals < 0 ? part : part[..equals].TrimEnd()] = equals < 0 ? "" : part[(equals + 1)..].TrimStart();
        }

        if (parts.TryGetValue("Endpoint", out var endpoint) && Uri.TryCreate(endpoint, UriKind.Absolute, out var address)
            && address is { Scheme: "sb", Host.Length: > 0 })
        {
            connection = new EventHubsConnectionString(parts, address.Host);
        }

        return connection is not null;
    }

    /// <summary>What is wrong with a text that ought to be a connection string, and what to write instead; null where nothing is.</summary>
    public static string? Error(string text)
    {
        if (!TryParse(text, out var connection))
        {
            return $"for the user {User} it is the connection string, and this is none: {Instead}";
        }

        if (connection._parts.Count == 1)
        {
            return "the connection string ends after its Endpoint: a shell cut it at its first `;`. Put it in single quotes, or give it in a file that no "
                + "shell reads";
        }

        if (connection._parts.ContainsKey("SharedAccessSignature"))
        {
            return $"Event Hubs takes no SharedAccessSignature from Kafka's clients: {Instead}, or use the tokens of Entra ID";
        }

        return (connection.Has("SharedAccessKeyName"), connection.Has("SharedAccessKey")) switch
        {
            (false, false) => $"the connection string has no SharedAccessKeyName and no SharedAccessKey: {Instead}",
            (false, true) => $"the connection string has no SharedAccessKeyName: {Instead}",
            (true, false) => $"the connection string has no SharedAccessKey: {Instead}",
            _ => null,
        };
    }

    private bool Has(string part) => !string.IsNullOrEmpty(_parts.GetValueOrDefault(part));
}
