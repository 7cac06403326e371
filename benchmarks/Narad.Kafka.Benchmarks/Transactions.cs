namespace Narad.Kafka.Benchmarks;

/// <summary>
/// What exactly once costs: every message sends one. Needs a real broker. Each run is a new group that handles everything, from its first message to its last.
/// </summary>
internal static class Transactions
{
    private const int Parallelism = 100;
    private const int Few = 300;     // of transactions of one message, which a broker ends one after the other
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);

    public static async Task<RowResult> ThroughputAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments)
    {
        var many = await FilledTopic.CreateAsync(environment, arguments.Messages / 5, partitions: 6, static n => new byte[100]);
        var few = await FilledTopic.CreateAsync(environment, Few, partitions: 6, static n => new byte[100]);
        var outputs = await environment.NewTopicAsync("outputs", partitions: 6);
        var row = new Row(
            "exactly",
            "100 bytes a message, 6 partitions, a handler that sends and awaits one message, parallelism 100",
            "msg/s",
            [
                new("ExactlyOnce, up to 1,000 messages a transaction", () => HandleAsync(environment, many, outputs, transactionSize: 1_000)),
                new("at least once", () => HandleAsync(environment, many, outputs, transactionSize: null)),
                new("ExactlyOnce, up to 100", () => HandleAsync(environment, many, outputs, transactionSize: 100)),
                new("ExactlyOnce, 1", () => HandleAsync(environment, few, outputs, transactionSize: 1)),
            ],
            []);
        return await row.MeasureAsync(arguments.Rounds);
    }

    private static async Task<Sample> HandleAsync(BenchmarkEnvironment environment, FilledTopic topic, string outputs, int? transactionSize)
    {
        var done = new TaskCompletionSource<Sample>(TaskCreationOptions.RunContinuationsAsynchronously);
        var group = environment.NewName("group");
        await using var kafka = new KafkaService(environment.Options());
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync(group);
        var (begun, handled, offsets) = (0, 0, 0L);
        Sample.Stretch stretch = default;
        await kafka.SubscribeAsync<byte[]>(
            topic.Name,
            async (message, context, token) =>
            {
                if (Volatile.Read(ref begun) == 0 && Interlocked.Exchange(ref begun, 1) == 0)
                {
                    stretch = Sample.Start();
                }

                await context.SendAsync(outputs, message, context.Key, cancellationToken: token);
                Interlocked.Add(ref offsets, context.Offset);
                if (Interlocked.Increment(ref handled) == topic.Messages)
                {
                    done.TrySetResult(stretch.PerSecond(topic.Messages));
                }
            },
            group,
            subscription =>
            {
                subscription.Parallelism = Parallelism;
                if (transactionSize is { } messages)
                {
                    subscription.ExactlyOnce.Enabled = true;
                    subscription.ExactlyOnce.MaxMessages = messages;
                }
            });
        var sample = await done.Task.WaitAsync(Timeout);
        await kafka.DisconnectAsync();
        topic.Check(handled, offsets);
        return sample;
    }
}
