using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>
/// The settings of a schema registry. Set from code and from the section <c>Kafka:SchemaRegistry</c>; code beats configuration. Validated at start, together
/// with
/// <see cref="KafkaOptions"/>. Read once.
/// </summary>
public sealed class SchemaRegistryOptions
{
    /// <summary>
    /// The address: <c>http</c> or <c>https</c>, with the path of the Confluent-compatible API; several instances are separated by commas. A user and
    /// password in it are used as
    /// <see cref="Username"/> and <see cref="Password"/>. Default none.
    /// </summary>
    [JsonIgnore]
    public string? Url { get; set; }

    /// <summary>The user of basic authentication. Default none.</summary>
    public string? Username { get; set; }

    /// <summary>The password of basic authentication, in no log, exception or report. Default none.</summary>
    [JsonIgnore]
    public string? Password { get; set; }

    /// <summary>Tokens from an identity provider. Fetched once for all requests and renewed at 80 % of their life. Default none.</summary>
    public OidcOptions? Oidc { get; set; }

    /// <summary>Tokens from a delegate; goes before <see cref="Oidc"/>. Default none. Code only.</summary>
    [JsonIgnore]
    public OAuthBearerTokenProvider? TokenProvider { get; set; }

    /// <summary>
    /// Whether the credentials are those of the Kafka service (<see cref="KafkaOptions.Sasl"/>): its token source, else its user and password. What a
    /// provider's profile sets there is used too.
    /// Default false.
    /// </summary>
    public bool UseKafkaCredentials { get; set; }

    /// <summary>A file with the certificate authority to trust, PEM. Default: the system's store.</summary>
    public string? Ca { get; set; }

    /// <summary>A PFX file (PKCS #12) with the client's certificate and key. Default none.</summary>
    public string? Certificate { get; set; }

    /// <summary>The password of <see cref="Certificate"/>, in no log, exception or report. Default none.</summary>
    [JsonIgnore]
    public string? CertificatePassword { get; set; }

    /// <summary>Whether the registry's certificate is checked. Default true. False is refused outside of the environment <c>Development</c>.</summary>
    public bool RejectUnauthorized { get; set; } = true;

    /// <summary>How long a request may take. 100 ms to 5 min; default 5 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>After what time an unavailable registry is asked again. 10 ms to 5 min; default 1 s.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Where the schema of an outgoing message comes from. Default: <see cref="SchemaRegistration.Register"/> in the environment <c>Development</c>, elsewhere
    /// <see cref="SchemaRegistration.UseLatestVersion"/>.
    /// </summary>
    public SchemaRegistration? Registration { get; set; }

    /// <summary>Whether values and keys are validated against their registered schema, sent and received ones. Default true.</summary>
    public bool Validate { get; set; } = true;

    /// <summary>
    /// Whether start fails where the registry says that the schema of a type is not compatible with the latest one of its subject. Default false.
    /// </summary>
    public bool CheckCompatibility { get; set; }

    /// <summary>
    /// Whether the host starts although the registry is unavailable. What needs a schema then waits (received messages) or fails (sent ones) until the
    /// registry answers. Default false.
    /// </summary>
    public bool StartWithoutRegistry { get; set; }

    // What could not be read of the configuration.
    internal List<string> BindingErrors { get; } = [];

    /// <summary>The address, without any secret.</summary>
    public override string ToString() => SchemaRegistry.RegistryAddress.Shown(Url);
}
