using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>TLS.</summary>
public sealed class SslOptions
{
    /// <summary>Whether connections are encrypted. <c>KAFKA_SSL_ENABLED</c>, <c>KAFKA_SSL</c>. Default false.</summary>
    public bool Enabled { get; set; }

    /// <summary>Whether a broker's certificate is checked. <c>KAFKA_SSL_REJECT_UNAUTHORIZED</c>. Default true; false warns at every start.</summary>
    public bool RejectUnauthorized { get; set; } = true;

    /// <summary>
    /// Allows what lets another server pose as the broker, in Production and in every environment but <c>Development</c>: <see cref="RejectUnauthorized"/>
    /// = false, and the raw properties <c>ssl.endpoint.identification.algorithm</c> = <c>none</c> and <c>ssl.cipher.suites</c> without encryption or
    /// certificates. Default false.
    /// </summary>
    public bool AllowUnverifiedInProduction { get; set; }

    /// <summary>The authority to trust: a file or PEM text. <c>KAFKA_SSL_CA</c>. Default: the system's store.</summary>
    [JsonIgnore]
    public string? Ca { get; set; }

    /// <summary>
    /// The client's own certificate, for brokers that ask for one: a PEM file or PEM text (the certificates between it and the authority after it), or a
    /// PFX file (PKCS #12; its name ends in <c>.pfx</c> or <c>.p12</c>, and it has a password). <c>KAFKA_SSL_CERT</c>. Default none.
    /// </summary>
    [JsonIgnore]
    public string? Certificate { get; set; }

    /// <summary>
    /// The private key of <see cref="Certificate"/>: a PEM file or PEM text, in no log, exception or report. <c>KAFKA_SSL_KEY</c>. Default: the one that stands
    /// with the certificate, as in every PFX.
    /// </summary>
    [JsonIgnore]
    public string? Key { get; set; }

    /// <summary>
    /// What opens the private key, or the PFX, where these are encrypted; in no log, exception or report. <c>KAFKA_SSL_KEY_PASSWORD</c>. Default none.
    /// </summary>
    [JsonIgnore]
    public string? KeyPassword { get; set; }

    /// <summary>Whether there is TLS, without keys or certificates.</summary>
    public override string ToString() => !Enabled ? "none" : string.IsNullOrWhiteSpace(Certificate) ? "TLS" : "TLS with a client certificate";
}
