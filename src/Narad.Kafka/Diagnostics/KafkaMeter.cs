using System.Diagnostics.Metrics;

namespace Narad.Kafka.Diagnostics;

/// <summary>
/// The service's instruments, read when somebody collects them; nothing is recorded per message. Named under the
/// meter <c>Narad.Kafka</c>, each tagged with <c>client</c>. Thread-safe.
/// </summary>
internal sealed class KafkaMeter : IDisposable
{
    private readonly Meter _meter = new(KafkaDiagnostics.SourceName);

    public KafkaMeter(KafkaService service, string clientId)
    {
        KeyValuePair<string, object?>[] tags = [new("client", clientId)];
        void Gauge(string name, string unit, string description, Func<long> read) =>
            _meter.CreateObservableGauge(name, () => new Measurement<long>(read(), tags), unit, description);
        void Counter(string name, string unit, string description, Func<long> read) =>
            _meter.CreateObservableCounter(name, () => new Measurement<long>(read(), tags), unit, description);

        Gauge("narad.kafka.partitions.stopped", "{partition}", "Partitions that stopped at a message that no policy covers.", () =>
            service.Subscriptions.Sum(subscription => (long)subscription.StoppedPartitions.Count));
        Gauge("narad.kafka.circuits.open", "{circuit}",
            "Subscriptions whose circuit is not closed: they start nothing, or one message to see whether what they need answers.", () =>
            service.Circuits.Count(circuit => circuit.State is not CircuitState.Closed));
        _meter.CreateObservableGauge(
            "narad.kafka.dead_letters",
            () => service.DeadLetterCounts.Latest.Select(topic => new Measurement<long>(topic.Value, [.. tags, new("topic", topic.Key)])),
            "{message}",
            "Messages in the dead-letter topics of the subscriptions, as the brokers said at most 15 s before the reading before.");
        Gauge("narad.kafka.messages.unfinished", "{message}", "Messages in memory: waiting, running, waiting for a retry.", () =>
            service.Groups.Sum(group => group.Loop?.BufferedMessages ?? 0));
        Gauge("narad.kafka.messages.waiting", "{message}",
            "Messages in memory of subscriptions whose circuit is not closed: they wait until what their handler, inbox or store needs answers again.", () =>
            service.Subscriptions.Where(static subscription => subscription.CircuitState is not CircuitState.Closed)
                .Sum(static subscription => subscription.BufferedMessages));
        Gauge("narad.kafka.messages.unfinished.bytes", "By", "Their bytes.", () => service.Groups.Sum(group => group.Loop?.BufferedBytes ?? 0));
        Gauge("narad.kafka.retry.waiting", "{message}", "Messages of retry topics that are not due yet.", () =>
            service.Groups.Sum(group => group.Loop?.WaitingRetries ?? 0));
        Gauge("narad.kafka.retry.oldest_due", "s", "For how long the message that is due first has been due; 0 where none is.", () =>
            (long)service.LongestOverdue.TotalSeconds);
        Gauge("narad.kafka.sends.in_flight", "{message}", "Sends without an answer yet.", () => service.Producer?.InFlight ?? 0);
        Gauge("narad.kafka.connected", "1", "1 while a broker answers.", () => service.IsConnected ? 1 : 0);
        Counter("narad.kafka.messages.finished", "{message}", "Messages finished by their handler, or skipped on request.", () =>
            service.Groups.Sum(group => group.Metrics.Finished));
        Counter("narad.kafka.transactions.committed", "{transaction}", "Transactions of exactly-once subscriptions that were committed.", () =>
            service.Groups.Sum(group => group.Metrics.TransactionsCommitted));
        Counter("narad.kafka.transactions.aborted", "{transaction}",
            "Transactions of exactly-once subscriptions that were aborted; their messages are handled again.", () =>
            service.Groups.Sum(group => group.Metrics.TransactionsAborted));
        Counter("narad.kafka.messages.retried_in_memory", "{invocation}", "Retries in memory.", () =>
            service.Groups.Sum(group => group.Metrics.InMemoryRetries));
        Counter("narad.kafka.messages.skipped", "{message}", "Messages skipped on request.", () => service.Groups.Sum(group => group.Metrics.Skips));
        Counter("narad.kafka.messages.skipped_by_policy", "{message}", "Messages finished unhandled because a retry policy says so.", () =>
            service.Groups.Sum(group => group.Metrics.SkipsByPolicy));
        Counter("narad.kafka.messages.unknown_type", "{message}",
            "Messages whose type has no handler, where handlers are chosen by type; whatever became of them. One that is read again counts again.", () =>
            service.Groups.Sum(group => group.Metrics.UnknownTypes));
        Counter("narad.kafka.broadcast.failed", "{message}", "Messages of broadcast subscriptions that were given up, because their handler failed.", () =>
            service.Groups.Sum(group => group.Metrics.BroadcastFailures));
        Counter("narad.kafka.messages.retried", "{message}", "Messages moved to a retry topic.", () => service.Groups.Sum(group => group.Metrics.Retries));
        Counter("narad.kafka.messages.blocked", "{message}", "Messages forwarded to a retry topic because an earlier message of their key waits there.", () =>
            service.Groups.Sum(group => group.Metrics.BlockedKeyMessages));
        Counter("narad.kafka.retry.republished", "{message}",
            "Waiting retry records republished at the end of their retry topic, so that later ones can be read.", () =>
            service.Groups.Sum(group => group.Metrics.Republishes));
        Counter("narad.kafka.retry.ungrouped", "{message}", "Messages of retry topics that name no group and were left alone.", () =>
            service.Groups.Sum(group => group.Metrics.Ungrouped));
        Counter("narad.kafka.retry.refused", "{record}",
            "Records of retry topics whose claims about other messages were ignored, because no member of the group wrote them.", () =>
            service.Groups.Sum(group => group.Metrics.RefusedRecords));
        Counter("narad.kafka.messages.skipped_as_handled", "{message}",
            "Messages that were not handled again, because the metadata of the committed offset, or records of the group in the retry topic, say that they "
            + "were handled or forwarded before.", () => service.Groups.Sum(group => group.Metrics.SkipsAsHandled));
        Counter("narad.kafka.messages.duplicates", "{message}",
            "Messages finished without their handler, because the inbox had noted them as handled.", () =>
            service.Groups.Sum(group => group.Metrics.Duplicates));
        Counter("narad.kafka.messages.stored", "{message}", "Messages that a message store acknowledged; a message that is delivered again counts again.", () =>
            service.Groups.Sum(group => group.Metrics.Stored));
        Counter("narad.kafka.retry.gone", "{message}", "Messages that waited for a retry and were deleted from their topic meanwhile.", () =>
            service.Groups.Sum(group => group.Metrics.Gone));
        Counter("narad.kafka.messages.dead_lettered", "{message}", "Messages moved to a dead-letter topic.", () =>
            service.Groups.Sum(group => group.Metrics.DeadLetters));
        Counter("narad.kafka.messages.tombstones", "{message}", "Tombstones that no handler wanted.", () =>
            service.Groups.Sum(group => group.Metrics.Tombstones));
        Counter("narad.kafka.offsets.resets", "{reset}", "Offsets that were reset because they were not there any more.", () =>
            service.Groups.Sum(group => group.Metrics.Resets));
        Counter("narad.kafka.offsets.truncated", "{partition}", "Partitions whose log was found truncated below where the group stood.", () =>
            service.Groups.Sum(group => group.Metrics.Truncations));
    }

    public void Dispose() => _meter.Dispose();
}
