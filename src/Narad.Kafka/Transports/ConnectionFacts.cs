using Confluent.Kafka;
using Narad.Kafka.Configuration;
using Narad.Kafka.Security;

namespace Narad.Kafka.Transports;

/// <summary>
/// What a client was told about where and as whom to connect, as far as it matters for what its errors mean. Holds no secret but in <see cref="Hide"/>.
/// </summary>
internal sealed class ConnectionFacts
{
    private readonly SecretHiding _secrets;
    private readonly HashSet<string> _brokers;

    private readonly TokenRefresher? _tokens;

    /// <summary>What a client's settings say.</summary>
    /// <param name="config">What the client was told.</param>
    /// <param name="tokens">What hands it tokens; null where nothing does, or does not yet.</param>
    public ConnectionFacts(ClientConfig config, TokenRefresher? tokens = null)
    {
        _tokens = tokens;
        Brokers = config.BootstrapServers ?? "";
        _brokers = new HashSet<string>(BrokerList.Split(Brokers), StringComparer.OrdinalIgnoreCase);
        Tls = config.SecurityProtocol is SecurityProtocol.Ssl or SecurityProtocol.SaslSsl;
        Mechanism = config.SecurityProtocol is SecurityProtocol.SaslPlaintext or SecurityProtocol.SaslSsl ? config.SaslMechanism ?? SaslMechanism.Gssapi : null;
        HasAuthority = !string.IsNullOrEmpty(config.SslCaLocation) || !string.IsNullOrEmpty(config.SslCaPem);
        var properties = config.ToDictionary(property => property.Key, property => property.Value, StringComparer.Ordinal);
        HasCertificate = properties.Keys.Any(name => name is "ssl.certificate.location" or "ssl.certificate.pem" or "ssl.keystore.location");
        HasTokenSource = LogsInWithToken && properties.GetValueOrDefault("sasl.oauthbearer.method") is not "oidc"
            && properties.GetValueOrDefault("enable.sasl.oauthbearer.unsecure.jwt") is not "true";
        _secrets = SecretHiding.Of(config);
    }

    /// <summary>The addresses of the settings.</summary>
    public string Brokers { get; }

    public bool Tls { get; }

    /// <summary>Null: connections do not log in.</summary>
    public SaslMechanism? Mechanism { get; }

    public bool HasAuthority { get; }

    public bool HasCertificate { get; }

    /// <summary>Whether the library hands tokens to the client, and so knows itself when there are none.</summary>
    public bool HasTokenSource { get; }

    /// <summary>Whether its tokens' source fails, or did a moment ago: whatever a broker says of its login follows from that.</summary>
    public bool LacksTokens => HasTokenSource && _tokens is { IsInTrouble: true };

    public bool LogsInWithToken => Mechanism is SaslMechanism.OAuthBearer;

    /// <summary>Whether an address is one of the settings', and not only named by a broker.</summary>
    public bool Names(string? address) => address is null || _brokers.Contains(address);

    /// <summary>The text without the secrets that the client was told.</summary>
    public string Hide(string text) => _secrets.Hide(text);
}
