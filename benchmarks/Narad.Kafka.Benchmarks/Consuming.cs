using System.Diagnostics;
using System.Text.Json;
using Confluent.Kafka;

namespace Narad.Kafka.Benchmarks;

/// <summary>The rows of the consuming side that need a broker. Each run is a new group that reads everything, from its first message to its last.</summary>
internal static class Consuming
{
    private const int Parallelism = 100;

    // Of fetch.queue.backoff.ms, in milliseconds: the client's default, and what a fair reader would set.
    private const int DefaultBackoff = 1_000;
    private const int TunedBackoff = 10;

    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public static async Task<RowResult> TypedAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments)
    {
        var topic = await TypedTopicAsync(environment, arguments);
        var row = new Row(
            "consume",
            "typed JSON, 6 partitions, 1,024 keys, a handler that does nothing",
            "msg/s",
            [
                new("SubscribeAsync, ordered by key", () => HandleAsync<UserEvent>(environment, topic, _ => { })),
                new("bare Consume + deserialize, tuned", () => ConsumeAsync(environment.NewConsumer(TunedBackoff), topic, Deserialize)),
                new("bare Consume + deserialize, prefetching as ours", () => ConsumeAsync(environment.NewConsumer(), topic, Deserialize)),
                new("bare Consume + deserialize, client's defaults", () => ConsumeAsync(environment.NewConsumer(DefaultBackoff), topic, Deserialize)),
                new("SubscribeAsync, ordered by partition", () =>
                    HandleAsync<UserEvent>(environment, topic, subscription => subscription.Order = MessageOrder.ByPartition)),
            ],
            [Target.Ratio("of tuned bare Consume + deserialize", 1.1, against: 1), Target.Bytes(600)]);
        return await row.MeasureAsync(arguments.Rounds);
    }

    /// <summary>As an application with a host has it: a handler class, a scope for each message.</summary>
    public static async Task<RowResult> HostAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments)
    {
        var topic = await TypedTopicAsync(environment, arguments);
        var row = new Row(
            "host",
            "as row consume, in a host: a handler class that does nothing, a scope a message",
            "msg/s",
            [
                new("AddSubscription, handler of each message", () => HostedHandler.RunAsync(environment, topic)),
                new("SubscribeAsync, ordered by key", () => HandleAsync<UserEvent>(environment, topic, _ => { })),
            ],
            [Target.Bytes(800)]);
        return await row.MeasureAsync(arguments.Rounds);
    }

    public static async Task<RowResult> BytesAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments)
    {
        var topic = await FilledTopic.CreateAsync(environment, arguments.Messages, partitions: 1, BitConverter.GetBytes);
        var row = new Row(
            "bytes",
            "4 bytes a message, one partition, 1,024 keys, a handler that does nothing",
            "msg/s",
            [
                new("SubscribeAsync, ordered by key", () => HandleAsync<byte[]>(environment, topic, _ => { })),
                new("bare Consume, tuned", () => ConsumeAsync(environment.NewConsumer(TunedBackoff), topic, static value => value)),
                new("bare Consume, prefetching as ours", () => ConsumeAsync(environment.NewConsumer(), topic, static value => value)),
            ],
            [Target.Value("msg/s, the figure of the best Java library", 70_000)]);
        return await row.MeasureAsync(arguments.Rounds);
    }

    /// <summary>There is no switch that leaves these out, so their cost is measured alone, and set against a message's way through the engine.</summary>
    public static async Task<RowResult> IdleAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments)
    {
        var topic = await TypedTopicAsync(environment, arguments);
        var row = new Row(
            "idle",
            "tracing and metrics of one message, sent and handled, while nobody listens",
            "ns/msg",
            [
                new("what is asked and counted for them", () => Task.FromResult(IdleProbe.Run())),
                new("consuming it, as in row consume", async () =>
                    new Sample(1e9 / (await HandleAsync<UserEvent>(environment, topic, _ => { })).Value, BytesPerMessage: null)),
            ],
            [Target.Ratio("of consuming it", 0.02, against: 1, atMost: true)]);
        return await row.MeasureAsync(arguments.Rounds);
    }

    public static async Task<RowResult> SlowAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments)
    {
        var topic = await FilledTopic.CreateAsync(environment, arguments.SlowMessages, partitions: 1, BitConverter.GetBytes);
        using var delays = new Delays();
        var row = new Row(
            "slow",
            "a handler of 5 ms, one partition, 1,024 keys, parallelism 100",
            "msg/s",
            [
                new("SubscribeAsync, ordered by key", () =>
                    HandleAsync<byte[]>(environment, topic, subscription => subscription.Parallelism = Parallelism, delays.WaitAsync)),
                new("100 loops of that handler, no Kafka", () => LoopAsync(delays, arguments.SlowMessages)),
            ],
            [Target.Value("msg/s, of 20,000", 19_000), Target.Ratio("of the loops without Kafka", 0.95, against: 1)]);
        return await row.MeasureAsync(arguments.Rounds);
    }

    private static Task<FilledTopic> TypedTopicAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments) =>
        FilledTopic.CreateAsync(environment, arguments.Messages, partitions: 6, n =>
            JsonSerializer.SerializeToUtf8Bytes(UserEvent.Samples[n % UserEvent.Keys], Json));

    private static async Task<Sample> LoopAsync(Delays delays, int messages)
    {
        var left = messages;
        var stretch = Sample.Start();
        await Task.WhenAll(Enumerable.Range(0, Parallelism).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                await delays.WaitAsync();
            }
        })));
        return stretch.PerSecond(messages);
    }

    private static Task<Sample> HandleAsync<T>(BenchmarkEnvironment environment, FilledTopic topic, Action<SubscriptionOptions> configure) =>
        HandleAsync<T>(environment, topic, configure, static () => Task.CompletedTask);

    private static async Task<Sample> HandleAsync<T>(
        BenchmarkEnvironment environment, FilledTopic topic, Action<SubscriptionOptions> configure, Func<Task> work)
    {
        var group = environment.NewName("group");
        var done = new TaskCompletionSource<Sample>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var kafka = new KafkaService(environment.Options());
        await kafka.ConnectConsumerAsync(group);
        var begun = 0;
        var handled = 0;
        long offsets = 0;
        Sample.Stretch stretch = default;
        await kafka.SubscribeAsync<T>(topic.Name, Handle, group, configure);
        try
        {
            var sample = await done.Task.WaitAsync(Timeout);
            await kafka.DisconnectAsync();
            topic.Check(handled, offsets);
            return sample;
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"Within {Timeout.TotalSeconds} s {handled} of {topic.Messages} messages were handled.", exception);
        }

        Task Handle(T message, MessageContext context, CancellationToken cancellationToken)
        {
            // Whoever counts the last message began after the first one did: by then it is known when that was.
            if (Volatile.Read(ref begun) == 0 && Interlocked.Exchange(ref begun, 1) == 0)
            {
                stretch = Sample.Start();
            }

            Interlocked.Add(ref offsets, context.Offset);
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
            if (Interlocked.Increment(ref handled) == topic.Messages)
            {
                done.TrySetResult(stretch.PerSecond(topic.Messages));
            }
        }
    }

    private static UserEvent? Deserialize(byte[] value) => JsonSerializer.Deserialize<UserEvent>(value, Json);

    private static Task<Sample> ConsumeAsync(IConsumer<byte[]?, byte[]> client, FilledTopic topic, Func<byte[], object?> deserialize) => Task.Factory.StartNew(
        () =>
        {
            using var consumer = client;
            consumer.Subscribe(topic.Name);
            Sample.Stretch stretch = default;
            var started = Stopwatch.GetTimestamp();
            var consumed = 0;
            long offsets = 0;
            while (consumed < topic.Messages)
            {
                if (consumer.Consume(TimeSpan.FromMilliseconds(100)) is { } result)
                {
                    if (consumed++ == 0)
                    {
                        stretch = Sample.Start();
                    }

                    offsets += result.Offset.Value;
                    GC.KeepAlive(deserialize(result.Message.Value));
                }
                else if (Stopwatch.GetElapsedTime(started) > Timeout)
                {
                    throw new TimeoutException($"Within {Timeout.TotalSeconds} s {consumed} of {topic.Messages} messages were consumed.");
                }
            }

            var sample = stretch.PerSecond(topic.Messages);
            consumer.Close();
            topic.Check(consumed, offsets);
            return sample;
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);
}
