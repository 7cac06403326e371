using System.Collections.Frozen;

namespace Narad.Kafka.Configuration;

/// <summary>
/// What is known of librdkafka's properties (its <c>CONFIGURATION.md</c>, 2.15.1): which clients take them, and which are not for users to set
/// because a promise hangs on them.
/// </summary>
internal static class ClientProperties
{
    // Column C/P of CONFIGURATION.md; everything else is for every client.
    private static readonly FrozenSet<string> ConsumerOnly = FrozenSet.Create(
        StringComparer.Ordinal,
        "auto.commit.enable", "auto.commit.interval.ms", "auto.offset.reset", "check.crcs", "consume.callback.max.messages",
        "coordinator.query.interval.ms", "enable.auto.commit", "enable.auto.offset.store", "enable.partition.eof", "fetch.error.backoff.ms",
        "fetch.max.bytes", "fetch.message.max.bytes", "fetch.min.bytes", "fetch.queue.backoff.ms", "fetch.wait.max.ms", "group.id",
        "group.instance.id", "group.protocol", "group.protocol.type", "group.remote.assignor", "heartbeat.interval.ms", "isolation.level",
        "max.partition.fetch.bytes", "max.poll.interval.ms", "max.poll.records", "offset.store.method", "offset.store.path",
        "offset.store.sync.interval.ms", "partition.assignment.strategy", "queued.max.messages.kbytes", "queued.min.messages",
        "session.timeout.ms", "share.acknowledgement.mode");

    private static readonly FrozenSet<string> ProducerOnly = FrozenSet.Create(
        StringComparer.Ordinal,
        "acks", "batch.num.messages", "batch.size", "compression.codec", "compression.level", "compression.type", "delivery.report.only.error",
        "delivery.timeout.ms", "enable.gapless.guarantee", "enable.idempotence", "linger.ms", "message.send.max.retries", "message.timeout.ms",
        "msg_order_cmp", "partitioner", "produce.offset.report", "queue.buffering.backpressure.threshold", "queue.buffering.max.kbytes",
        "queue.buffering.max.messages", "queue.buffering.max.ms", "queuing.strategy", "request.required.acks", "request.timeout.ms", "retries",
        "sticky.partitioning.linger.ms", "transaction.timeout.ms", "transactional.id");

    private static readonly string[] SecurityPrefixes = ["ssl.", "sasl.", "https.", "security.", "enable.ssl.", "enable.sasl."];

    /// <summary>Whether a client of this kind takes the property; one that is in no list is given to all, and librdkafka says what it thinks of it.</summary>
    public static bool IsFor(string name, ClientKind kind) => kind switch
    {
        ClientKind.Producer => !ConsumerOnly.Contains(name),
        ClientKind.Consumer => !ProducerOnly.Contains(name),
        _ => !ConsumerOnly.Contains(name) && !ProducerOnly.Contains(name),
    };

    /// <summary>Whether the property is about TLS or logging in, which the embedded broker has none of.</summary>
    public static bool IsSecurity(string name) => SecurityPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal));
}
