using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>
/// Tokens from an identity provider by the client-credentials grant (OAuth 2.0, RFC 6749 §4.4), for the mechanism <c>oauthbearer</c>.
/// </summary>
public sealed class OidcOptions
{
    /// <summary>The application's id at the identity provider. Default none.</summary>
    public string? ClientId { get; set; }

    /// <summary>Its secret, in no log, exception or report. Default none.</summary>
    [JsonIgnore]
    public string? ClientSecret { get; set; }

    /// <summary>Where tokens are asked for: an absolute <c>https</c> address (<c>http</c> on this machine only). Default none.</summary>
    [JsonIgnore]
    public string? TokenEndpoint { get; set; }

    /// <summary>What the token is for, as the identity provider calls it; several are separated by spaces. Default none.</summary>
    public string? Scope { get; set; }

    /// <summary>The cluster's id on Confluent Cloud, <c>lkc-…</c>; needed there. Extension <c>logicalCluster</c>. Default none.</summary>
    public string? LogicalCluster { get; set; }

    /// <summary>
    /// The identity pool on Confluent Cloud, <c>pool-…</c>. Extension <c>identityPoolId</c>. Default none: Confluent Cloud finds it by the token's claims.
    /// </summary>
    public string? IdentityPoolId { get; set; }

    /// <summary>The client's id, without its secret.</summary>
    public override string ToString() => $"OIDC as {ClientId}";
}
