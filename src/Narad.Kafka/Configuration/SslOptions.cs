namespace Narad.Kafka;

/// <summary>TLS.</summary>
public sealed class SslOptions
{
    /// <summary>Whether connections are encrypted. <c>KAFKA_SSL_ENABLED</c>, <c>KAFKA_SSL</c>. Default false.</summary>
    public bool Enabled { get; set; }

    /// <summary>Whether a broker's certificate is checked. <c>KAFKA_SSL_REJECT_UNAUTHORIZED</c>. Default true; false warns at every start.</summary>
    public bool RejectUnauthorized { get; set; } = true;

    /// <summary>Allows <see cref="RejectUnauthorized"/> = false in Production. Default false.</summary>
    public bool AllowUnverifiedInProduction { get; set; }

    /// <summary>The authority to trust: a file or PEM text. <c>KAFKA_SSL_CA</c>. Default: the system's store.</summary>
    public string? Ca { get; set; }

    /// <summary>
    /// The client's own certificate, for brokers that ask for one: a PEM file or PEM text (the certificates between it and the authority after it), or a
    /// PFX file (PKCS #12; its name ends in <c>.pfx</c> or <c>.p12</c>). <c>KAFKA_SSL_CERT</c>. Default none.
    /// </summary>
    public string? Certificate { get; set; }

    /// <summary>
    /// The private key of <see cref="Certificate"/>: a PEM file or PEM text, in no log, exception or report. <c>KAFKA_SSL_KEY</c>. Default: the one that stands with
    /// the certificate, as in every PFX.
    /// </summary>
    public string? Key { get; set; }

    /// <summary>What opens the private key, or the PFX, where these are encrypted; in no log, exception or report. <c>KAFKA_SSL_KEY_PASSWORD</c>. Default none.</summary>
    public string? KeyPassword { get; set; }
}
