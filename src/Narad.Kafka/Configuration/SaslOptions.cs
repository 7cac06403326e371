using System.Text.Json.Serialization;
using Narad.Kafka.Configuration;

namespace Narad.Kafka;

/// <summary>User and mechanism.</summary>
public sealed class SaslOptions
{
    /// <summary>
    /// <c>plain</c>, <c>scram-sha-256</c>, <c>scram-sha-512</c>, <c>oauthbearer</c>, <c>aws_msk_iam</c>; any case. <c>KAFKA_SASL_MECHANISM</c>. Default
    /// <c>plain</c>.
    /// </summary>
    public string Mechanism { get; set; } = "plain";

    /// <summary>The user; without one there is no SASL. The mechanisms of tokens need none, and send none. <c>KAFKA_SASL_USERNAME</c>. Default none.</summary>
    public string? Username { get; set; }

    /// <summary>
    /// The password, in no log, exception or report. The mechanisms of tokens need none, and send none. <c>KAFKA_SASL_PASSWORD</c>. Default none.
    /// </summary>
    [JsonIgnore]
    public string? Password { get; set; }

    /// <summary>Where the tokens of <c>oauthbearer</c> come from, if an identity provider gives them for a client id and a secret. Default none.</summary>
    public OidcOptions? Oidc { get; set; }

    /// <summary>
    /// Where the tokens of <c>oauthbearer</c> and <c>aws_msk_iam</c> come from: what a provider's package sets, or any delegate; goes before
    /// <see cref="Oidc"/>. Default none. Code only.
    /// </summary>
    [JsonIgnore]
    public OAuthBearerTokenProvider? TokenProvider { get; set; }

    /// <summary>
    /// Allows the mechanism <c>plain</c> without TLS to another host outside of the environment <c>Development</c>: everybody on the way to the broker reads
    /// the password. Default false.
    /// </summary>
    public bool AllowPlainWithoutTls { get; set; }

    /// <summary>The mechanism, without user or password.</summary>
    public override string ToString() => SaslMechanisms.IsUsed(this) ? SaslMechanisms.Shown(Mechanism) ?? "none" : "none";
}
