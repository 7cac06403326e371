namespace Narad.Kafka.SchemaRegistry;

/// <summary>The addresses of a registry's instances, apart from the user and password that may stand in them.</summary>
internal static class RegistryAddress
{
    /// <summary>The address of a registry in the memory of this process.</summary>
    public const string Memory = "memory:";

    /// <summary>Whether the registry is in the memory of this process.</summary>
    public static bool IsMemory(string? urls) => string.Equals(urls?.Trim(), Memory, StringComparison.OrdinalIgnoreCase);

    /// <summary>The parts of a list; nothing for null.</summary>
    public static string[] Split(string? urls) => urls?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>The list as the client takes it: without user and password.</summary>
    public static string WithoutCredentials(string? urls) => string.Join(',', Split(urls).Select(static url => TryParse(url) is { } uri
        ? uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/')
        : "(no address)"));

    /// <summary>For people.</summary>
    public static string Shown(string? urls) => IsMemory(urls) ? Memory
        : Split(urls).Length == 0 ? "(no address)" : WithoutCredentials(urls);

    /// <summary>The user and password in the first address that has them; null where none has.</summary>
    public static (string User, string Password)? Credentials(string? urls)
    {
        foreach (var url in Split(urls))
        {
            if (TryParse(url)?.UserInfo is { Length: > 0 } info)
            {
                var parts = info.Split(':', 2);
                return (Uri.UnescapeDataString(parts[0]), parts.Length == 2 ? Uri.UnescapeDataString(parts[1]) : "");
            }
        }

        return null;
    }

    /// <summary>The address, where it is absolute and of HTTP.</summary>
    public static Uri? TryParse(string url) => Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is ("http" or "https") ? uri : null;
}
