using System.Diagnostics.Metrics;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Outbox;

/// <summary>The outbox's counters and its instruments, named under the meter <c>Narad.Kafka</c>, each tagged with <c>client</c>. Thread-safe.</summary>
internal sealed class OutboxMetrics : IDisposable
{
    private readonly Meter _meter = new(KafkaDiagnostics.SourceName);
    private long _enqueued;
    private long _dispatched;
    private long _failures;
    private long _setAside;

    public OutboxMetrics(string clientId)
    {
        KeyValuePair<string, object?>[] tags = [new("client", clientId)];
        void Gauge(string name, string unit, string description, Func<long?> read) => _meter.CreateObservableGauge(
            name, () => read() is { } value ? [new Measurement<long>(value, tags)] : Array.Empty<Measurement<long>>(), unit, description);
        void Counter(string name, string unit, string description, Func<long> read) =>
            _meter.CreateObservableCounter(name, () => new Measurement<long>(read(), tags), unit, description);

        Gauge("narad.kafka.outbox.pending", "{message}", "Messages in the outbox that are not sent yet, as counted last.", () => Statistics?.Pending);
        Gauge("narad.kafka.outbox.oldest_pending", "s", "The age of the oldest pending message by the store's clock, as counted last; 0 where there is none.",
            () => Statistics is { } counted ? (long)(counted.OldestPending ?? TimeSpan.Zero).TotalSeconds : null);
        Gauge("narad.kafka.outbox.set_aside", "{message}", "Messages in the outbox that were set aside, as counted last.", () => Statistics?.SetAside);
        Gauge("narad.kafka.outbox.buckets", "{bucket}", "Buckets whose lease this relay holds, of 64.", () => Buckets);
        Counter("narad.kafka.outbox.enqueued", "{message}",
            "Messages that were enqueued here; in a transaction also those whose transaction was aborted afterwards.", () => Volatile.Read(ref _enqueued));
        Counter("narad.kafka.outbox.dispatched", "{message}", "Messages that this relay sent and Kafka acknowledged; one that is sent again counts again.",
            () => Volatile.Read(ref _dispatched));
        Counter("narad.kafka.outbox.failures", "{message}", "Sends of this relay that failed, for whatever reason.", () => Volatile.Read(ref _failures));
        Counter("narad.kafka.outbox.messages_set_aside", "{message}", "Messages that this relay set aside.", () => Volatile.Read(ref _setAside));
    }

    /// <summary>As counted last; null: not counted yet. Written by the relay's counting task.</summary>
    public OutboxStatistics? Statistics { get; set; }

    /// <summary>How many buckets this relay holds; null: it is no relay.</summary>
    public int? Buckets { get; set; }

    public long Dispatched => Volatile.Read(ref _dispatched);

    public void CountEnqueued(int count) => Interlocked.Add(ref _enqueued, count);

    public void CountDispatched() => Interlocked.Increment(ref _dispatched);

    public void CountFailure() => Interlocked.Increment(ref _failures);

    public void CountSetAside() => Interlocked.Increment(ref _setAside);

    public void Dispose() => _meter.Dispose();
}
