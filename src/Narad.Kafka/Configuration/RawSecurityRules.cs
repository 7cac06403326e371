using System.Net;

namespace Narad.Kafka.Configuration;

/// <summary>The rules of <see cref="SecurityRules"/> for raw librdkafka properties, which would otherwise go around them.</summary>
internal static class RawSecurityRules
{
    private const string Endpoint = "sasl.oauthbearer.token.endpoint.url";
    private const string Method = "sasl.oauthbearer.method";
    private const string Metadata = "sasl.oauthbearer.metadata.authentication.type";

    /// <summary>Checks the raw properties.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="strict">Whether the environment is another one than Development.</param>
    /// <param name="check">Collects what is wrong.</param>
    public static void Check(KafkaOptions options, bool strict, Findings check)
    {
        var client = options.ClientProperties;
        if (options.Ssl.Enabled && Is(client, "ssl.endpoint.identification.algorithm", "none"))
        {
            Unverified("ssl.endpoint.identification.algorithm", "= none: any certificate of the authority passes for the broker's, whatever its host name");
        }

        if (options.Ssl.Enabled && client.TryGetValue("ssl.cipher.suites", out var ciphers) && ciphers is not null && TakesNoCertificate(ciphers))
        {
            Unverified("ssl.cipher.suites", "takes ciphers without encryption or without a certificate");
        }

        if (Is(client, Method, "oidc") && !SaslMechanisms.Is(options.Sasl.Mechanism, SaslMechanisms.OAuthBearer))
        {
            check.ErrorUnshown($"ClientProperties:{Method}",
                $"there is an identity provider, whose tokens only {SaslMechanisms.OAuthBearer} takes: set {SettingNames.Of("Sasl:Mechanism")} to it, or "
                    + $"remove this");
        }

        if (client.TryGetValue(Endpoint, out var endpoint) && !IsMetadataService(client, endpoint) && SecurityRules.TokenEndpointError(endpoint) is { } error)
        {
            check.ErrorUnshown($"ClientProperties:{Endpoint}", error);
        }

        void Unverified(string name, string what)
        {
            if (strict && !options.Ssl.AllowUnverifiedInProduction)
            {
                check.ErrorUnshown($"ClientProperties:{name}",
                    $"{what}. In Production anybody could pose as the broker, as in every environment but Development: remove it, or allow it by "
                        + $"{SecurityRules.AllowUnverified} = true");
            }
            else
            {
                check.Warnings.Add($"{SettingNames.Of($"ClientProperties:{name}")} {what}.");
            }
        }
    }

    private static bool Is(IDictionary<string, string> client, string name, string value) =>
        client.TryGetValue(name, out var given) && string.Equals(given?.Trim(), value, StringComparison.OrdinalIgnoreCase);

    // OpenSSL's words; "!" and "-" take ciphers away.
    private static bool TakesNoCertificate(string ciphers) =>
        ciphers.Split([':', ',', ' ', ';'], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Where(static cipher => cipher[0] is not ('!' or '-'))
            .Any(static cipher =>
                cipher.Contains("NULL", StringComparison.OrdinalIgnoreCase)
                || cipher.Contains("ADH", StringComparison.Ordinal)
                || cipher.Contains("AECDH", StringComparison.Ordinal)
                || cipher.Contains("anon", StringComparison.OrdinalIgnoreCase)
                || cipher.Contains("SECLEVEL=0", StringComparison.OrdinalIgnoreCase));

    // A cloud's own metadata service has an address of this machine's link, speaks http only, and is sent no secret.
    private static bool IsMetadataService(IDictionary<string, string> client, string? endpoint) =>
        Is(client, Metadata, "azure_imds")
        && Uri.TryCreate(endpoint, UriKind.Absolute, out var address)
        && IPAddress.TryParse(address.Host, out var host)
        && host.GetAddressBytes() is [169, 254, ..];
}
