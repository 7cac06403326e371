using System.Diagnostics;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Producing;

namespace Narad.Kafka.Benchmarks;

/// <summary>Does what the engine does for tracing and metrics on the way of one message, and nothing else of it. It handles nothing.</summary>
internal sealed class IdleProbe(SubscriptionSettings settings, ConsumingMetrics metrics, KafkaDiagnostics diagnostics)
    : HandlerPipeline(settings, metrics, diagnostics)
{
    private const int Messages = 10_000_000;

    protected override ValueTask<Outcome> HandleAsync(KeyQueue queue) => throw new NotSupportedException("This one only asks whether somebody listens.");

    public static Sample Run()
    {
        var metrics = new ConsumingMetrics();
        var diagnostics = new KafkaDiagnostics();
        var settings = SubscriptionSettings.From("idle", "group", new SubscriptionOptions(), new KafkaOptions(), services: null);
        var probe = new IdleProbe(settings, metrics, diagnostics);
        var context = new MessageContext { Topic = "idle" };
        var wanted = 0;
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < Messages; i++)
        {
            wanted += TraceHeaders.Wanted ? 1 : 0;
            wanted += probe.StartActivity(context).Activity is null ? 0 : 1;
            metrics.FinishedMessages(1);
        }

        var elapsed = Stopwatch.GetElapsedTime(started);
        return wanted == 0 && metrics.Finished == Messages
            ? new Sample(elapsed.TotalNanoseconds / Messages, BytesPerMessage: null)
            : throw new InvalidOperationException("Somebody listens: this is not what it costs when nobody does.");
    }
}
