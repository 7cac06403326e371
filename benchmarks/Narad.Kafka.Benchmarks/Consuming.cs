using System.Diagnostics;
using System.Text.Json;
using Confluent.Kafka;

namespace Narad.Kafka.Benchmarks;

/// <summary>The rows of the consuming side that need a broker. Each run is a new group that reads everything, from its first message to its last.</summary>
internal static class Consuming
{
    private const int Parallelism = 100;
    private const int SlowMessages = 40_000;
    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public static async Task<RowResult> TypedAsync(Arena arena, BenchmarkArguments arguments)
    {
        var topic = await FilledTopicAsync(arena, arguments.Messages, partitions: 6, n => JsonSerializer.SerializeToUtf8Bytes(UserEvent.Samples[n % UserEvent.Keys], Json));
        var row = new Row(
            "consume typed JSON, 6 partitions, 1,024 keys, a handler that does nothing",
            "msg/s",
            "0.9 x a bare loop, 600 B/msg",
            [
                new("SubscribeAsync, ordered by key", () => HandleAsync<UserEvent>(arena, topic, arguments.Messages, _ => { })),
                new("SubscribeAsync, ordered by partition", () => HandleAsync<UserEvent>(arena, topic, arguments.Messages, subscription => subscription.OrderedByPartition())),
                new("bare Consume + deserialize", () => ConsumeAsync(arena, topic, arguments.Messages, static value => JsonSerializer.Deserialize<UserEvent>(value, Json))),
            ]);
        return await row.MeasureAsync(arguments.Rounds);
    }

    public static async Task<RowResult> EmptyAsync(Arena arena, BenchmarkArguments arguments)
    {
        var topic = await FilledTopicAsync(arena, arguments.Messages, partitions: 1, BitConverter.GetBytes);
        var row = new Row(
            "consume bytes, one partition, 1,024 keys, a handler that does nothing",
            "msg/s",
            "",
            [
                new("SubscribeAsync, ordered by key", () => HandleAsync<byte[]>(arena, topic, arguments.Messages, _ => { })),
                new("bare Consume", () => ConsumeAsync(arena, topic, arguments.Messages, static value => value)),
            ]);
        return await row.MeasureAsync(arguments.Rounds);
    }

    /// <summary>
    /// <c>Task.Delay(5)</c> takes more than 5 ms, and the more so the busier the machine is: so the same delays are run by as many bare loops, and
    /// the mean that they really took says what is possible.
    /// </summary>
    public static async Task<RowResult> SlowAsync(Arena arena, BenchmarkArguments arguments)
    {
        var topic = await FilledTopicAsync(arena, SlowMessages, partitions: 1, BitConverter.GetBytes);
        var possible = new List<double>();
        var row = new Row(
            "consume with a handler of 5 ms (Task.Delay), one partition, 1,024 keys, parallelism 100",
            "msg/s",
            "0.9 x what 100 handlers of that length can do (20,000 msg/s if they took 5.0 ms)",
            [
                new("SubscribeAsync, ordered by key", async () =>
                {
                    var (sample, mean) = await HandleSlowlyAsync(arena, topic);
                    possible.Add(Parallelism / mean.TotalSeconds);
                    return sample;
                }),
                new("100 / mean time of those handlers", () => Task.FromResult(new Sample(possible[^1], BytesPerMessage: null))),
                new("100 loops of Task.Delay(5), no Kafka", DelayAsync),
            ]);

        // The second contestant is a figure of the first one's latest run, so the order is kept: it is no work that could disturb or be disturbed.
        return await row.MeasureAsync(arguments.Rounds);
    }

    private static async Task<(Sample Sample, TimeSpan Mean)> HandleSlowlyAsync(Arena arena, string topic)
    {
        long ticks = 0;
        var sample = await HandleAsync<byte[]>(
            arena,
            topic,
            SlowMessages,
            subscription => subscription.Parallelism(Parallelism),
            async () =>
            {
                var started = Stopwatch.GetTimestamp();
                await Task.Delay(Delay);
                Interlocked.Add(ref ticks, Stopwatch.GetElapsedTime(started).Ticks);
            });
        return (sample, TimeSpan.FromTicks(ticks / SlowMessages));
    }

    private static async Task<Sample> DelayAsync()
    {
        var left = SlowMessages;
        var stretch = Sample.Start();
        await Task.WhenAll(Enumerable.Range(0, Parallelism).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                await Task.Delay(Delay);
            }
        })));
        return stretch.PerSecond(SlowMessages);
    }

    private static Task<Sample> HandleAsync<T>(Arena arena, string topic, int messages, Action<SubscriptionOptions> configure) =>
        HandleAsync<T>(arena, topic, messages, configure, static () => Task.CompletedTask);

    private static async Task<Sample> HandleAsync<T>(Arena arena, string topic, int messages, Action<SubscriptionOptions> configure, Func<Task> work)
    {
        var group = arena.NewName("group");
        var done = new TaskCompletionSource<Sample>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var kafka = new KafkaService(arena.Options());
        await kafka.ConnectConsumerAsync(group);
        var begun = 0;
        var handled = 0;
        Sample.Stretch stretch = default;
        await kafka.SubscribeAsync<T>(topic, Handle, group, configure);
        return await done.Task.WaitAsync(Patience);

        Task Handle(T message, MessageContext context, CancellationToken cancellationToken)
        {
            // Whoever counts the last message began after the first one did: by then it is known when that was.
            if (Volatile.Read(ref begun) == 0 && Interlocked.Exchange(ref begun, 1) == 0)
            {
                stretch = Sample.Start();
            }

            var worked = work();
            if (worked.IsCompletedSuccessfully)
            {
                Count();
                return worked;
            }

            return CountAfterAsync(worked);
        }

        async Task CountAfterAsync(Task worked)
        {
            await worked;
            Count();
        }

        void Count()
        {
            if (Interlocked.Increment(ref handled) == messages)
            {
                done.TrySetResult(stretch.PerSecond(messages));
            }
        }
    }

    private static Task<Sample> ConsumeAsync(Arena arena, string topic, int messages, Func<byte[], object?> deserialize) => Task.Factory.StartNew(
        () =>
        {
            using var consumer = arena.NewConsumer();
            consumer.Subscribe(topic);
            Sample.Stretch stretch = default;
            var started = Stopwatch.GetTimestamp();
            for (var consumed = 0; consumed < messages;)
            {
                if (consumer.Consume(TimeSpan.FromMilliseconds(100)) is { } result)
                {
                    if (consumed++ == 0)
                    {
                        stretch = Sample.Start();
                    }

                    GC.KeepAlive(deserialize(result.Message.Value));
                }
                else if (Stopwatch.GetElapsedTime(started) > Patience)
                {
                    throw new TimeoutException($"Only {consumed} of {messages} messages came.");
                }
            }

            var sample = stretch.PerSecond(messages);
            consumer.Close();
            return sample;
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    private static async Task<string> FilledTopicAsync(Arena arena, int messages, int partitions, Func<int, byte[]> value)
    {
        var topic = await arena.NewTopicAsync("consume", partitions);
        using var producer = arena.NewProducer();
        var sends = new Queue<Task<DeliveryResult<string, byte[]>>>();
        for (var i = 0; i < messages; i++)
        {
            if (sends.Count == 50_000)
            {
                await sends.Dequeue();
            }

            sends.Enqueue(producer.ProduceAsync(topic, new Message<string, byte[]> { Key = UserEvent.Samples[i % UserEvent.Keys].UserId, Value = value(i) }));
        }

        await Task.WhenAll(sends);
        return topic;
    }
}
