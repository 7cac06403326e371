using System.Collections.Frozen;

namespace Narad.Kafka.Configuration;

/// <summary>Which raw properties are refused, and why: those that contradict a promise, and those that have a setting of their own.</summary>
internal static class ClientPropertyRules
{
    private const string EngineCommits = "the engine decides what is committed, and nothing unfinished is: there is no setting for it";
    private const string EngineResets = "nothing is skipped by a default: set KafkaOptions.StartPosition and KafkaOptions.OnOutOfRange";
    private const string Acknowledged = "a send completes when all replicas have it: there is no setting for it";
    private const string Idempotent = "sends are neither doubled nor reordered by the client's own retries: there is no setting for it";
    private const string Assignor = "set KafkaOptions.Assignor";
    private const string Prefetch = "what the client prefetches counts in the group's limit: set KafkaOptions.MaxBufferedBytes";
    private const string Authority = "set KafkaOptions.Ssl.Ca";
    private const string Mechanism = "set KafkaOptions.Sasl.Mechanism";
    private const string Offsets = "offsets are kept by the broker: there is no setting for it";

    private static readonly FrozenDictionary<string, string> Refused = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["bootstrap.servers"] = "set KafkaOptions.Brokers",
        ["metadata.broker.list"] = "set KafkaOptions.Brokers",
        ["client.id"] = "set KafkaOptions.ClientId",
        ["group.id"] = "name the group where you connect or subscribe, or set KafkaOptions.ConsumerGroupId",
        ["group.instance.id"] = "set KafkaOptions.GroupInstanceId",
        ["group.protocol"] = "set KafkaOptions.GroupProtocol",
        ["group.protocol.type"] = "it is always consumer",
        ["group.remote.assignor"] = Assignor,
        ["partition.assignment.strategy"] = Assignor,
        ["session.timeout.ms"] = "set KafkaOptions.SessionTimeout",
        ["heartbeat.interval.ms"] = "it is a third of KafkaOptions.SessionTimeout, at most 3 s: set that",
        ["max.poll.interval.ms"] = "set KafkaOptions.MaxPollInterval",
        ["enable.auto.commit"] = EngineCommits,
        ["auto.commit.enable"] = EngineCommits,
        ["enable.auto.offset.store"] = EngineCommits,
        ["auto.commit.interval.ms"] = "set KafkaOptions.CommitInterval",
        ["auto.offset.reset"] = EngineResets,
        ["enable.partition.eof"] = "the engine takes messages only: there is no setting for it",
        ["offset.store.method"] = Offsets,
        ["offset.store.path"] = Offsets,
        ["offset.store.sync.interval.ms"] = Offsets,
        ["queued.max.messages.kbytes"] = Prefetch,
        ["fetch.max.bytes"] = Prefetch,
        ["queued.min.messages"] = "what the client prefetches counts in the group's limit: set KafkaOptions.MaxBufferedMessages",
        ["receive.message.max.bytes"] = "set KafkaOptions.MaxMessageBytes",
        ["message.max.bytes"] = "set KafkaOptions.MaxMessageBytes",
        ["acks"] = Acknowledged,
        ["request.required.acks"] = Acknowledged,
        ["enable.idempotence"] = Idempotent,
        ["queuing.strategy"] = Idempotent,
        ["transactional.id"] = "say ExactlyOnce() in the subscription, which has transactions and names them; there are no others",
        ["partitioner"] = "a key's partition is the Java client's, so that mixed fleets agree: name SendOptions.Partition to choose another",
        ["delivery.report.only.error"] = "every send is reported: there is no setting for it",
        ["message.timeout.ms"] = "set KafkaOptions.SendTimeout",
        ["delivery.timeout.ms"] = "set KafkaOptions.SendTimeout",
        ["linger.ms"] = "set KafkaOptions.Linger",
        ["queue.buffering.max.ms"] = "set KafkaOptions.Linger",
        ["compression.type"] = "set KafkaOptions.Compression",
        ["compression.codec"] = "set KafkaOptions.Compression",
        ["security.protocol"] = "it follows from KafkaOptions.Ssl.Enabled and KafkaOptions.Sasl.Username: set those",
        ["sasl.mechanism"] = Mechanism,
        ["sasl.mechanisms"] = Mechanism,
        ["sasl.username"] = "set KafkaOptions.Sasl.Username",
        ["sasl.password"] = "set KafkaOptions.Sasl.Password",
        ["ssl.ca.location"] = Authority,
        ["ssl.ca.pem"] = Authority,
        ["enable.ssl.certificate.verification"] = "set KafkaOptions.Ssl.RejectUnauthorized",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static void Check(KafkaOptions options, Findings check)
    {
        foreach (var (name, value) in options.ClientProperties)
        {
            if (Reason(name) is { } reason)
            {
                check.ErrorUnshown($"ClientProperties:{name}", $"remove it; {reason}");
            }
            else if (string.IsNullOrEmpty(value))
            {
                check.ErrorUnshown($"ClientProperties:{name}", "it is empty: write a value, or remove it");
            }
            else if (IsCertificate(name) && !string.IsNullOrWhiteSpace(options.Ssl.Certificate))
            {
                check.ErrorUnshown($"ClientProperties:{name}", $"{SettingNames.Of("Ssl:Certificate")} says who the client is, too: remove one of them");
            }
        }
    }

    /// <summary>Whether <see cref="Check"/> has an error for this property.</summary>
    public static bool IsInvalid(string name, string value) => Reason(name) is not null || string.IsNullOrEmpty(value);

    /// <summary>Whether the property is about the client's own certificate or key.</summary>
    public static bool IsCertificate(string name) =>
        name.StartsWith("ssl.certificate.", StringComparison.Ordinal) || name.StartsWith("ssl.key.", StringComparison.Ordinal)
            || name.StartsWith("ssl.keystore.", StringComparison.Ordinal);

    private static string? Reason(string name)
    {
        if (Refused.TryGetValue(name, out var reason))
        {
            return reason;
        }

        if (name.StartsWith("go.", StringComparison.Ordinal))
        {
            return "it is a setting of the Go client";
        }

        return name.StartsWith("dotnet.", StringComparison.Ordinal) ? "what the client reports is the engine's to choose: there is no setting for it" : null;
    }
}
