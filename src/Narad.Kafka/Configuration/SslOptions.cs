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
}
