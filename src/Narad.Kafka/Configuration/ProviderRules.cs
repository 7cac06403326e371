using System.Globalization;

namespace Narad.Kafka.Configuration;

/// <summary>
/// What does not work with a provider, which is known by its name in the options or by its own host names. A wrong port is an error on those hosts
/// only: elsewhere a proxy or a tunnel may listen on any, so there it is a warning.
/// </summary>
internal static class ProviderRules
{
    // Ports of MSK's private connectivity between VPCs begin here (https://docs.aws.amazon.com/msk/latest/developerguide/port-info.html).
    private const int FirstMskPrivatePort = 14_001;

    private const string ConfluentCloud = "Confluent Cloud";
    private const string EventHubs = "Event Hubs";
    private const string Msk = "MSK";

    public static bool IsEventHubs(string broker) =>
        HasSuffix(broker, ".servicebus.windows.net", ".servicebus.chinacloudapi.cn", ".servicebus.usgovcloudapi.net");

    public static void Check(KafkaOptions options, Findings check)
    {
        string[] brokers = BrokerList.MayHoldSecret(options.Brokers) ? []
            : [.. BrokerList.Split(options.Brokers).Where(broker => BrokerList.Error(broker) is null)];
        var provider = options.Provider;
        CheckName(provider, brokers, check);
        CheckPlace(options, check);
        if (provider is KafkaProvider.Local)
        {
            CheckLocal(options, check);
        }

        if (provider is KafkaProvider.EventHubs || Array.Exists(brokers, IsEventHubs))
        {
            CheckEventHubs(options, check);
            CheckPorts(brokers, IsEventHubs, EventHubs, provider is KafkaProvider.EventHubs, check, 9093);
        }
        else if (IsConnectionStringUser(options.Sasl))
        {
            CheckPorts(brokers, IsEventHubs, EventHubs, named: !Array.Exists(brokers, IsKnown), check, 9093);
        }

        if (IsMsk(provider) || Array.Exists(brokers, IsMsk))
        {
            CheckMsk(options, check);
        }

        if (MskPorts(options) is var (what, ports)
            && (IsMsk(provider) || SaslMechanisms.Is(options.Sasl.Mechanism, SaslMechanisms.AwsMskIam) || Array.Exists(brokers, IsMsk)))
        {
            CheckPorts(
                Array.FindAll(brokers, broker => BrokerList.Port(broker) < FirstMskPrivatePort),
                IsMsk,
                what,
                IsMsk(provider) || SaslMechanisms.Is(options.Sasl.Mechanism, SaslMechanisms.AwsMskIam),
                check,
                ports);
        }

        if (provider is KafkaProvider.ConfluentCloud || Array.Exists(brokers, IsConfluentCloud))
        {
            CheckConfluentCloud(options, check);
            CheckPorts(brokers, IsConfluentCloud, ConfluentCloud, provider is KafkaProvider.ConfluentCloud, check, 9092);
        }

        if (IsConnectionStringUser(options.Sasl) && SaslMechanisms.Is(options.Sasl.Mechanism, "plain"))
        {
            CheckConnectionString(options, brokers, check);
        }
    }

    private static bool IsMsk(KafkaProvider provider) =>
        provider is KafkaProvider.MskIam or KafkaProvider.MskScram or KafkaProvider.MskTls or KafkaProvider.MskOpen;

    private static bool IsMsk(string broker)
    {
        var host = BrokerList.Host(broker);
        return (host.Contains(".kafka.", StringComparison.OrdinalIgnoreCase) || host.Contains(".kafka-serverless.", StringComparison.OrdinalIgnoreCase)) &&
            HasSuffix(broker, ".amazonaws.com", ".amazonaws.com.cn");
    }

    private static bool IsConfluentCloud(string broker) => HasSuffix(broker, ".confluent.cloud");

    private static bool IsKnown(string broker) => IsEventHubs(broker) || IsMsk(broker) || IsConfluentCloud(broker);

    private static bool IsConnectionStringUser(SaslOptions sasl) => string.Equals(sasl.Username, EventHubsConnectionString.User, StringComparison.Ordinal);

    private static bool HasSuffix(string broker, params ReadOnlySpan<string> suffixes)
    {
        var host = BrokerList.Host(broker);
        foreach (var suffix in suffixes)
        {
            if (host.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    // The name says one thing and the hosts another.
    private static void CheckName(KafkaProvider provider, string[] brokers, Findings check)
    {
        if (provider is KafkaProvider.Custom)
        {
            return;
        }

        Belongs(IsEventHubs, provider is KafkaProvider.EventHubs, "Event Hubs: write EventHubs");
        Belongs(IsConfluentCloud, provider is KafkaProvider.ConfluentCloud, "Confluent Cloud: write ConfluentCloud");
        Belongs(IsMsk, IsMsk(provider), "MSK: write MskIam, MskScram, MskTls or MskOpen");

        void Belongs(Predicate<string> isTheirs, bool named, string whose)
        {
            if (!named && Array.Find(brokers, isTheirs) is { } broker)
            {
                check.Error(nameof(KafkaOptions.Provider), provider, $"{broker} is a broker of {whose}");
            }
        }
    }

    // localhost:9092 is nobody's cloud.
    private static void CheckPlace(KafkaOptions options, Findings check)
    {
        if (options.NamesBrokers || ProviderProfile.BrokersOf(options.Sasl) is not null)
        {
            return;
        }

        var where = options.Provider switch
        {
            KafkaProvider.ConfluentCloud => "the cluster's bootstrap server, such as pkc-12345.eu-central-1.aws.confluent.cloud:9092",
            KafkaProvider.MskIam => "the cluster's bootstrap brokers for IAM, such as b-1.shop.abc123.c2.kafka.eu-central-1.amazonaws.com:9098",
            KafkaProvider.MskScram => "the cluster's bootstrap brokers for SASL/SCRAM, such as b-1.shop.abc123.c2.kafka.eu-central-1.amazonaws.com:9096",
            KafkaProvider.MskTls => "the cluster's bootstrap brokers for TLS, such as b-1.shop.abc123.c2.kafka.eu-central-1.amazonaws.com:9094",
            KafkaProvider.MskOpen => "the cluster's bootstrap brokers, such as b-1.shop.abc123.c2.kafka.eu-central-1.amazonaws.com:9092",
            KafkaProvider.EventHubs when !SaslMechanisms.Is(options.Sasl.Mechanism, "plain") => "NAMESPACE.servicebus.windows.net:9093",
            _ => null,
        };
        if (where is not null)
        {
            check.Error(nameof(options.Brokers), "", $"{options.Provider} does not say where the cluster is: write {where}");
        }
    }

    private static void CheckLocal(KafkaOptions options, Findings check)
    {
        if (options.Ssl.Enabled)
        {
            check.Error("Ssl:Enabled", true, "the provider Local is plain text: write false, or Provider = Custom");
        }

        if (SaslMechanisms.IsUsed(options.Sasl))
        {
            check.ErrorUnshown(
                SaslMechanisms.MakesTokens(options.Sasl.Mechanism) ? "Sasl:Mechanism" : "Sasl:Username",
                "the provider Local has no login: remove it, or write Provider = Custom");
        }
    }

    private static void CheckEventHubs(KafkaOptions options, Findings check)
    {
        Tls(options, EventHubs, check);
        if (options.Compression is KafkaCompression.Snappy or KafkaCompression.Lz4 or KafkaCompression.Zstd)
        {
            check.Error("Compression", options.Compression, "Event Hubs takes None or Gzip only");
        }

        if (options.MaxMessageBytes > ProviderProfile.EventHubsMessageBytes)
        {
            check.Error(
                nameof(options.MaxMessageBytes),
                options.MaxMessageBytes,
                string.Create(CultureInfo.InvariantCulture,
                    $"Event Hubs closes the connection at a larger request: write at most {ProviderProfile.EventHubsMessageBytes}, or nothing"));
        }

        if (SaslMechanisms.Is(options.Sasl.Mechanism, SaslMechanisms.OAuthBearer))
        {
            return;
        }

        if (!SaslMechanisms.Is(options.Sasl.Mechanism, "plain"))
        {
            check.Error("Sasl:Mechanism", SaslMechanisms.Shown(options.Sasl.Mechanism), "Event Hubs takes plain or oauthbearer");
        }

        if (string.IsNullOrEmpty(options.Sasl.Username))
        {
            check.Error(
                "Sasl:Username",
                "",
                string.IsNullOrEmpty(options.Sasl.Password)
                    ? "Event Hubs needs the user $ConnectionString, written so, and the connection string as the password"
                    : "your shell expanded `$ConnectionString`: put it in single quotes, '$ConnectionString' (in a compose file $$ConnectionString)");
        }
        else if (!IsConnectionStringUser(options.Sasl))
        {
            check.ErrorUnshown("Sasl:Username", "for Event Hubs write $ConnectionString, literally, and the connection string as the password");
        }
    }

    // Whoever the brokers are: this user has this password.
    private static void CheckConnectionString(KafkaOptions options, string[] brokers, Findings check)
    {
        if (string.IsNullOrEmpty(options.Sasl.Password))
        {
            return;
        }

        if (EventHubsConnectionString.Error(options.Sasl.Password) is { } error)
        {
            check.ErrorUnshown("Sasl:Password", error);
        }
        else if (EventHubsConnectionString.TryParse(options.Sasl.Password, out var connection))
        {
            if (!string.IsNullOrEmpty(connection.EntityPath))
            {
                check.Warnings.Add(
                    $"{SettingNames.Of("Sasl:Password")}: the connection string has an EntityPath, so its key is for the event hub '{connection.EntityPath}' "
                        + $"alone and every other topic is refused: take the namespace's connection string where there are several, such as retry topics.");
            }

            if (Array.Find(brokers, IsEventHubs) is { } broker && !string.Equals(BrokerList.Host(broker), connection.Host, StringComparison.OrdinalIgnoreCase))
            {
                check.Warn(nameof(options.Brokers), broker,
                    $"the connection string is of {connection.Host}, whose key another namespace refuses: write {connection.Host}:9093, or the other "
                        + $"connection string");
            }
        }
    }

    private static void CheckMsk(KafkaOptions options, Findings check)
    {
        var sasl = options.Sasl;
        var used = SaslMechanisms.IsUsed(sasl);
        if (used || options.Provider is KafkaProvider.MskTls or KafkaProvider.MskScram)
        {
            Tls(options, Msk, check);
        }

        switch (options.Provider)
        {
            case KafkaProvider.MskIam when !SaslMechanisms.Is(sasl.Mechanism, SaslMechanisms.AwsMskIam):
                check.Error("Sasl:Mechanism", SaslMechanisms.Shown(sasl.Mechanism), "MskIam takes aws_msk_iam: write that, or another provider");
                break;
            case KafkaProvider.MskScram when !SaslMechanisms.Is(sasl.Mechanism, "scram-sha-512"):
                check.Error("Sasl:Mechanism", SaslMechanisms.Shown(sasl.Mechanism), "MskScram takes scram-sha-512: write that, or another provider");
                break;
            case KafkaProvider.MskScram when !used && string.IsNullOrEmpty(sasl.Password):
                check.Error("Sasl:Username", "", "MskScram needs the user and the password of the secret AmazonMSK_… in Secrets Manager");
                break;
            case KafkaProvider.MskTls or KafkaProvider.MskOpen when used:
                check.ErrorUnshown(
                    SaslMechanisms.MakesTokens(sasl.Mechanism) ? "Sasl:Mechanism" : "Sasl:Username",
                    $"{options.Provider} has no login: remove it, or write Provider = "
                        + $"{(SaslMechanisms.Is(sasl.Mechanism, SaslMechanisms.AwsMskIam) ? "MskIam" : "MskScram")}");
                break;
            case KafkaProvider.MskTls when string.IsNullOrWhiteSpace(options.Ssl.Certificate)
                && !options.ClientProperties.Keys.Any(ClientPropertyRules.IsCertificate):
                check.Error("Ssl:Certificate", "",
                    "MskTls needs a client certificate: write a PEM or PFX file, or write Provider = MskOpen where the cluster asks for none");
                break;
            case not (KafkaProvider.MskIam or KafkaProvider.MskScram) when used && !SaslMechanisms.Is(sasl.Mechanism, "scram-sha-512")
                && !SaslMechanisms.Is(sasl.Mechanism, SaslMechanisms.AwsMskIam):
                check.Error("Sasl:Mechanism", SaslMechanisms.Shown(sasl.Mechanism), "MSK takes scram-sha-512 (port 9096) or aws_msk_iam (port 9098)");
                break;
        }
    }

    // Each way in has a port of its own; null where the settings are none of them.
    private static (string What, int[] Ports)? MskPorts(KafkaOptions options) => (SaslMechanisms.IsUsed(options.Sasl), options.Ssl.Enabled) switch
    {
        (true, _) when SaslMechanisms.Is(options.Sasl.Mechanism, SaslMechanisms.AwsMskIam) => ("aws_msk_iam on MSK", [9098, 9198]),
        (true, _) when SaslMechanisms.Is(options.Sasl.Mechanism, "scram-sha-512") => ("scram-sha-512 on MSK", [9096, 9196]),
        (true, _) => null,
        (false, true) => ("TLS on MSK", [9094, 9194]),
        (false, false) => ("plain text on MSK", [9092]),
    };

    private static void CheckConfluentCloud(KafkaOptions options, Findings check)
    {
        var sasl = options.Sasl;
        Tls(options, ConfluentCloud, check);
        if (!SaslMechanisms.Is(sasl.Mechanism, "plain") && !SaslMechanisms.Is(sasl.Mechanism, SaslMechanisms.OAuthBearer))
        {
            check.Error("Sasl:Mechanism", SaslMechanisms.Shown(sasl.Mechanism), "Confluent Cloud takes plain (an API key and its secret) or oauthbearer");
        }

        if (!SaslMechanisms.IsUsed(sasl) && string.IsNullOrEmpty(sasl.Password))
        {
            check.Error("Sasl:Username", "", "Confluent Cloud needs an API key as the user and its secret as the password");
        }

        if (sasl.Oidc is { } oidc && string.IsNullOrWhiteSpace(oidc.LogicalCluster))
        {
            check.Error("Sasl:Oidc:LogicalCluster", "", "Confluent Cloud asks for the cluster's id: write lkc-…, as its settings show it");
        }
    }

    private static void CheckPorts(string[] brokers, Predicate<string> isTheirs, string what, bool named, Findings check, params int[] ports)
    {
        var outside = ports.Length == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $", or {ports[1]} from outside its network");
        foreach (var broker in brokers.Where(broker => BrokerList.Port(broker) is { } port && !ports.Contains(port)))
        {
            if (isTheirs(broker))
            {
                check.Error("Brokers", broker, string.Create(CultureInfo.InvariantCulture, $"for {what} use {ports[0]}{outside}"));
            }
            else if (named && !IsKnown(broker))
            {
                check.Warn("Brokers", broker, string.Create(CultureInfo.InvariantCulture, $"{what} usually listens on port {ports[0]}{outside}"));
            }
        }
    }

    private static void Tls(KafkaOptions options, string what, Findings check)
    {
        // A mechanism of tokens asks for TLS by itself, whoever runs the brokers.
        if (!options.Ssl.Enabled && !SaslMechanisms.MakesTokens(options.Sasl.Mechanism))
        {
            check.Error("Ssl:Enabled", false, $"for {what} write true");
        }
    }
}
