namespace Narad.Kafka;

/// <summary>Who runs the cluster, and so which security it asks for. See <see cref="KafkaOptions.Provider"/>.</summary>
public enum KafkaProvider
{
    /// <summary>Nobody in particular: TLS and login are as <see cref="KafkaOptions.Ssl"/> and <see cref="KafkaOptions.Sasl"/> say.</summary>
    Custom,

    /// <summary>A broker of one's own, in plain text and without a login, usually <c>localhost:9092</c>.</summary>
    Local,

    /// <summary>Confluent Cloud: TLS, port 9092; an API key and its secret as user and password, or <see cref="SaslOptions.Oidc"/>.</summary>
    ConfluentCloud,

    /// <summary>Amazon MSK with IAM: TLS, port 9098 (from outside 9198), tokens from the package <c>Narad.Kafka.Aws</c>.</summary>
    MskIam,

    /// <summary>Amazon MSK with a user and a password from Secrets Manager: TLS, SCRAM-SHA-512, port 9096 (from outside 9196).</summary>
    MskScram,

    /// <summary>Amazon MSK with client certificates: TLS, port 9094 (from outside 9194).</summary>
    MskTls,

    /// <summary>Amazon MSK without a login: port 9092, or 9094 where <see cref="SslOptions.Enabled"/> is set.</summary>
    MskOpen,

    /// <summary>Azure Event Hubs: TLS, port 9093; user <c>$ConnectionString</c> with the connection string as password, or tokens of Entra ID.</summary>
    EventHubs,
}
