using Confluent.Kafka;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Benchmarks;

/// <summary>The rows of single parts of the engine: no client and no broker.</summary>
internal static class Parts
{
    private const int TrackerWindow = 10_000;
    private const int TrackerCompletions = 50_000_000;

    public static Task<RowResult> LanesAsync(BenchmarkArguments arguments) => new Row(
        "lanes alone: empty handlers by key, 1,024 keys, one partition, parallelism 32",
        "msg/s",
        "",
        [new("lanes, pipeline and a handler that does nothing", () => Task.FromResult(RunLanes(arguments.Messages)))]).MeasureAsync(arguments.Rounds);

    public static Task<RowResult> TrackerAsync(BenchmarkArguments arguments) => new Row(
        "offset tracker, windows of 10,000",
        "completions/s",
        "50,000,000 completions/s, 0 B",
        [
            new("finished in order", () => Task.FromResult(RunTracker(shuffled: false))),
            new("finished in any order", () => Task.FromResult(RunTracker(shuffled: true))),
        ]).MeasureAsync(arguments.Rounds);

    // This thread does what the poll thread does, with a buffer of its default size.
    private static Sample RunLanes(int messages)
    {
        var settings = SubscriptionSettings.From("lanes", "group", new SubscriptionOptions(), new KafkaOptions(), [], services: null);
        var pipeline = new SinglePipeline<byte[]>(static (_, _, _) => Task.CompletedTask, settings, new ConsumingMetrics(), new KafkaDiagnostics(loggers: null, time: null));
        using var completed = new CompletedDeliveries();
        var lanes = new LaneScheduler(settings.Parallelism, settings.Order, batch: null, TimeProvider.System, pipeline, completed, _ => throw new InvalidOperationException("A handler that does nothing failed."));
        var partition = new AssignedPartition(new TopicPartition("lanes", 0), subscription: null!, epoch: 1);   // only the poll loop asks for its subscription
        var results = UserEvent.Samples.Select(sample => new ConsumeResult<byte[]?, byte[]?>
        {
            TopicPartitionOffset = new TopicPartitionOffset(partition.Partition, 0),
            Message = new Message<byte[]?, byte[]?> { Key = System.Text.Encoding.UTF8.GetBytes(sample.UserId), Value = [1, 2, 3, 4] },
        }).ToArray();

        var stretch = Sample.Start();
        var (sent, finished) = (0, 0);
        while (finished < messages)
        {
            if (sent < messages && sent - finished < 10_000)
            {
                lanes.Enqueue(new Delivery(partition, results[sent % results.Length], sent));
                sent++;
            }
            else
            {
                completed.Wait(TimeSpan.FromMilliseconds(5));
            }

            for (var delivery = completed.TakeAll(); delivery is not null; delivery = delivery.NextCompleted)
            {
                finished++;
            }
        }

        return stretch.PerSecond(messages);
    }

    private static Sample RunTracker(bool shuffled)
    {
        var tracker = new OffsetTracker(TrackerWindow);
        var order = Enumerable.Range(0, TrackerWindow).ToArray();
        if (shuffled)
        {
            new Random(1).Shuffle(order);
        }

        var stretch = Sample.Start();
        for (var window = 0; window < TrackerCompletions / TrackerWindow; window++)
        {
            var first = (long)window * TrackerWindow;
            for (var i = 0; i < TrackerWindow; i++)
            {
                tracker.Add(first + i);
            }

            foreach (var arrival in order)
            {
                tracker.Finish(first + arrival);
            }
        }

        var sample = stretch.PerSecond(TrackerCompletions);
        return tracker.Committable == TrackerCompletions ? sample : throw new InvalidOperationException("The tracker lost count.");
    }
}
