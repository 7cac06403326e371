using System.Globalization;

namespace Narad.Kafka.Configuration;

/// <summary>
/// What does not work with a provider, known from its own host names: there it is a fault; where only the settings look like the provider's,
/// a warning.
/// </summary>
internal static class ProviderRules
{
    private const string ConnectionStringUser = "$ConnectionString";

    // Ports of MSK's private connectivity between VPCs begin here (https://docs.aws.amazon.com/msk/latest/developerguide/port-info.html).
    private const int FirstMskPrivatePort = 14_001;

    public static bool IsEventHubs(string broker) => HasSuffix(broker, ".servicebus.windows.net", ".servicebus.chinacloudapi.cn", ".servicebus.usgovcloudapi.net");

    public static void Check(KafkaOptions options, Findings check)
    {
        var brokers = BrokerList.Split(options.Brokers).Where(broker => BrokerList.Fault(broker) is null).ToArray();
        var hubs = Array.FindAll(brokers, IsEventHubs);
        var msk = Array.FindAll(brokers, IsMsk);
        var confluent = Array.FindAll(brokers, IsConfluentCloud);
        if (hubs.Length > 0)
        {
            CheckEventHubs(options, hubs, check);
        }

        if (msk.Length > 0)
        {
            CheckMsk(options, msk, check);
        }

        if (confluent.Length > 0)
        {
            CheckConfluentCloud(options, confluent, check);
        }

        CheckLookalikes(options, brokers.Except([.. hubs, .. msk, .. confluent], StringComparer.Ordinal), check);
    }

    private static bool IsMsk(string broker)
    {
        var host = BrokerList.Host(broker);
        return (host.Contains(".kafka.", StringComparison.OrdinalIgnoreCase) || host.Contains(".kafka-serverless.", StringComparison.OrdinalIgnoreCase)) &&
            HasSuffix(broker, ".amazonaws.com", ".amazonaws.com.cn");
    }

    private static bool IsConfluentCloud(string broker) => HasSuffix(broker, ".confluent.cloud");

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

    private static void CheckEventHubs(KafkaOptions options, string[] brokers, Findings check)
    {
        Ports(brokers, "Event Hubs", [9093], check);
        Tls(options, "Event Hubs", check);
        if (options.Compression is KafkaCompression.Snappy or KafkaCompression.Lz4 or KafkaCompression.Zstd)
        {
            check.Fault("Compression", options.Compression, "Event Hubs takes None or Gzip only");
        }

        if (SaslMechanisms.Is(options.Sasl.Mechanism, SaslMechanisms.OAuthBearer))
        {
            return;
        }

        if (!SaslMechanisms.Is(options.Sasl.Mechanism, "plain"))
        {
            check.Fault("Sasl:Mechanism", options.Sasl.Mechanism, "Event Hubs takes plain or oauthbearer");
        }

        if (string.IsNullOrEmpty(options.Sasl.Username))
        {
            check.Fault(
                "Sasl:Username",
                "",
                string.IsNullOrEmpty(options.Sasl.Password)
                    ? "Event Hubs needs the user $ConnectionString, written so, and the connection string as the password"
                    : "your shell expanded `$ConnectionString`: put it in single quotes, '$ConnectionString' (in a compose file $$ConnectionString)");
        }
        else if (!string.Equals(options.Sasl.Username, ConnectionStringUser, StringComparison.Ordinal))
        {
            check.FaultUnshown("Sasl:Username", "for Event Hubs write $ConnectionString, literally, and the connection string as the password");
        }
    }

    private static void CheckMsk(KafkaOptions options, string[] brokers, Findings check)
    {
        var sasl = SaslMechanisms.IsUsed(options.Sasl);
        if (sasl)
        {
            Tls(options, "MSK", check);
        }

        if (SaslMechanisms.Is(options.Sasl.Mechanism, SaslMechanisms.AwsMskIam))
        {
            MskPorts("aws_msk_iam", 9098, 9198);
            return;
        }

        if (!sasl)
        {
            if (options.Ssl.Enabled)
            {
                MskPorts("TLS", 9094, 9194);
            }
            else
            {
                MskPorts("plain text", 9092);
            }
        }
        else if (SaslMechanisms.Is(options.Sasl.Mechanism, "scram-sha-512"))
        {
            MskPorts("scram-sha-512", 9096, 9196);
        }
        else
        {
            check.Fault("Sasl:Mechanism", options.Sasl.Mechanism, "MSK takes scram-sha-512 (port 9096) or aws_msk_iam (port 9098)");
        }

        void MskPorts(string what, params int[] ports) => Ports(
            Array.FindAll(brokers, broker => BrokerList.Port(broker) < FirstMskPrivatePort),
            $"{what} on MSK",
            ports,
            check);
    }

    private static void CheckConfluentCloud(KafkaOptions options, string[] brokers, Findings check)
    {
        Ports(brokers, "Confluent Cloud", [9092], check);
        Tls(options, "Confluent Cloud", check);
        if (!SaslMechanisms.Is(options.Sasl.Mechanism, "plain") && !SaslMechanisms.Is(options.Sasl.Mechanism, SaslMechanisms.OAuthBearer))
        {
            check.Fault("Sasl:Mechanism", options.Sasl.Mechanism, "Confluent Cloud takes plain (an API key and its secret) or oauthbearer");
        }

        if (!SaslMechanisms.IsUsed(options.Sasl) && string.IsNullOrEmpty(options.Sasl.Password))
        {
            check.Fault("Sasl:Username", "", "Confluent Cloud needs an API key as the user and its secret as the password");
        }
    }

    private static void CheckLookalikes(KafkaOptions options, IEnumerable<string> others, Findings check)
    {
        foreach (var broker in others)
        {
            if (SaslMechanisms.Is(options.Sasl.Mechanism, SaslMechanisms.AwsMskIam) && BrokerList.Port(broker) is not (9098 or 9198 or >= FirstMskPrivatePort))
            {
                check.Warn("Brokers", broker, "aws_msk_iam usually listens on port 9098, from outside on 9198");
            }
            else if (string.Equals(options.Sasl.Username, ConnectionStringUser, StringComparison.Ordinal) && BrokerList.Port(broker) is not 9093)
            {
                check.Warn("Brokers", broker, "Event Hubs usually listens on port 9093");
            }
        }
    }

    private static void Ports(IEnumerable<string> brokers, string what, int[] ports, Findings check)
    {
        foreach (var broker in brokers)
        {
            if (BrokerList.Port(broker) is { } port && !ports.Contains(port))
            {
                var alternatives = ports.Length == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $", or {ports[1]} from outside its network");
                check.Fault("Brokers", broker, string.Create(CultureInfo.InvariantCulture, $"for {what} use {ports[0]}{alternatives}"));
            }
        }
    }

    private static void Tls(KafkaOptions options, string what, Findings check)
    {
        // A mechanism of tokens asks for TLS by itself, whoever runs the brokers.
        if (!options.Ssl.Enabled && !SaslMechanisms.MakesTokens(options.Sasl.Mechanism))
        {
            check.Fault("Ssl:Enabled", false, $"for {what} write true");
        }
    }
}
