namespace Narad.Kafka.Configuration;

/// <summary>
/// What each provider's name stands for. Applied once, when <see cref="KafkaOptions.Provider"/> is set, to the options that every client is built from;
/// what only concerns librdkafka is in <see cref="Properties"/>. Never changes what says where the cluster is or as whom to log in, unless the provider
/// knows no login.
/// </summary>
internal static class ProviderProfile
{
    public const string DefaultBrokers = "localhost:9092";

    public const int DefaultMessageBytes = 1_000_000;

    /// <summary>
    /// Event Hubs refuses requests from 1,046,528 bytes on by closing the connection; a message has to leave room for the rest of its request.
    /// </summary>
    public const int EventHubsMessageBytes = 999_999;

    // The gateway drops a connection that was idle for 240 s, without a word: the client has to be first. Both figures are Microsoft's
    // (https://learn.microsoft.com/azure/event-hubs/apache-kafka-configurations).
    private static readonly KeyValuePair<string, string>[] EventHubs =
    [
        new("metadata.max.age.ms", "180000"),
        new("connections.max.idle.ms", "180000"),
        new("request.timeout.ms", "60000"),
        new("socket.keepalive.enable", "true"),
    ];

    /// <summary>Sets what the provider asks for.</summary>
    public static void Apply(KafkaOptions options, KafkaProvider provider)
    {
        switch (provider)
        {
            case KafkaProvider.Local:
                options.Ssl = new();
                options.Sasl = new();
                break;
            case KafkaProvider.ConfluentCloud:
                Encrypted("plain");
                break;
            case KafkaProvider.MskIam:
                Encrypted(SaslMechanisms.AwsMskIam);
                break;
            case KafkaProvider.MskScram:
                Encrypted("scram-sha-512");
                break;
            case KafkaProvider.MskTls:
                options.Ssl.Enabled = true;
                options.Sasl = new();
                break;
            case KafkaProvider.MskOpen:
                options.Sasl = new();
                break;
            case KafkaProvider.EventHubs:
                Encrypted("plain");
                if (string.IsNullOrEmpty(options.Sasl.Username))
                {
                    options.Sasl.Username = EventHubsConnectionString.User;
                }

                break;
        }

        void Encrypted(string mechanism)
        {
            options.Ssl.Enabled = true;
            options.Sasl.Mechanism = mechanism;
        }
    }

    /// <summary>librdkafka's properties that the provider needs, for every client that knows them.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Properties(KafkaOptions options) => options.IsEventHubs ? EventHubs : [];

    /// <summary>The brokers that the login names: an Event Hubs connection string holds its namespace. Null where it names none.</summary>
    public static string? BrokersOf(SaslOptions sasl) =>
        string.Equals(sasl.Username, EventHubsConnectionString.User, StringComparison.Ordinal)
            && EventHubsConnectionString.TryParse(sasl.Password, out var connection)
            ? $"{connection.Host}:9093"
            : null;
}
