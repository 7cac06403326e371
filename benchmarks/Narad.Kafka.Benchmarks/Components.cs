using Confluent.Kafka;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Benchmarks;

/// <summary>The rows of single parts of the engine: no client and no broker.</summary>
internal static class Components
{
    private const int TrackerWindow = 10_000;
    private const int TrackerCompletions = 50_000_000;

    public static Task<RowResult> KeyQueuesAsync(BenchmarkArguments arguments) => new Row(
        "key-queues",
        "the engine between client and handler: by key, 1,024 keys, one partition, parallelism 32, empty handlers",
        "msg/s",
        [
            new("with retries in memory allowed", () => Task.FromResult(RunKeyQueues(arguments.KeyQueueMessages, retries: 2))),
            new("without", () => Task.FromResult(RunKeyQueues(arguments.KeyQueueMessages, retries: 0))),
        ],
        [Target.Ratio("of what it does without retries", 0.98, against: 1)]).MeasureAsync(arguments.Rounds);

    public static Task<RowResult> TrackerAsync(BenchmarkArguments arguments) => new Row(
        "tracker",
        "offsets added and finished, windows of 10,000",
        "completions/s",
        [
            new("in any order", () => Task.FromResult(RunTracker(shuffled: true))),
            new("in order", () => Task.FromResult(RunTracker(shuffled: false))),
        ],
        [Target.Value("completions/s", 50_000_000),
            new Target("B/completion, both", 0, AtMost: true, static entries => entries.Max(entry => Math.Round(entry.BytesPerMessage!.Value, 2)))])
            .MeasureAsync(arguments.Rounds);

    // This thread does what the poll thread does, with a buffer of its default size.
    private static Sample RunKeyQueues(int messages, int retries)
    {
        var settings = SubscriptionSettings.From(
            "key-queues", "group", new SubscriptionOptions { Retry = { InMemory = { MaxAttempts = retries } } }, new KafkaOptions(), services: null);
        var pipeline = new SinglePipeline<byte[]>(
            static (_, _, _) => Task.CompletedTask, settings, new ConsumingMetrics(), new KafkaDiagnostics(loggers: null, time: null));
        using var completed = new CompletedDeliveries();
        var queues = new KeyQueueScheduler(settings.Parallelism, settings.Order, batch: null, TimeProvider.System, pipeline, completed,
            _ => throw new InvalidOperationException("A handler that does nothing failed."));
        var partition = new AssignedPartition(new TopicPartition("key-queues", 0), subscription: null!);   // only the poll loop asks for its subscription
        var samples = UserEvent.Samples.Select(
            sample => new ReceivedMessage(partition.Partition, Offset: 0, System.Text.Encoding.UTF8.GetBytes(sample.UserId), [1, 2, 3, 4])).ToArray();

        var stretch = Sample.Start();
        var (sent, finished) = (0, 0);
        var sequences = new Delivery[64];
        while (finished < messages)
        {
            if (sent < messages && sent - finished < 10_000)
            {
                var count = Math.Min(sequences.Length, messages - sent);
                for (var i = 0; i < count; i++, sent++)
                {
                    sequences[i] = new Delivery(partition, samples[sent % samples.Length], sent);
                }

                queues.Enqueue(sequences.AsSpan(0, count));
            }
            else
            {
                completed.Wait(TimeSpan.FromMilliseconds(5));
            }

            for (var delivery = completed.TakeAll(); delivery is not null; delivery = delivery.Next)
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

            foreach (var sequence in order)
            {
                tracker.Finish(first + sequence);
            }
        }

        var sample = stretch.PerSecond(TrackerCompletions);
        return tracker.Committable == TrackerCompletions ? sample : throw new InvalidOperationException("The tracker lost count.");
    }
}
