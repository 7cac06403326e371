using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Confluent.Kafka;

namespace Narad.Kafka.Benchmarks;

/// <summary>The rows of the sending side.</summary>
internal static class Sending
{
    /// <summary>
    /// How many sends of each candidate are without an answer at most. When there are so many, half of them are waited for: going to sleep for
    /// each message, or signalling each report, would be the slowest part.
    /// </summary>
    private const int Window = 10_000;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public static async Task<RowResult> PipelinedAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments)
    {
        var topic = await environment.NewTopicAsync("send", partitions: 6);
        await using var kafka = new KafkaService(environment.Options());
        await kafka.ConnectProducerAsync();
        using var awaited = environment.NewProducer();
        using var reported = environment.NewProducer();
        var row = new Row(
            "send",
            "typed JSON, pipelined, 10,000 outstanding, linger 5 ms",
            "msg/s",
            [
                Counted("awaited SendAsync", () => SendAsync(kafka, topic, arguments.Messages)),
                Counted("awaited ProduceAsync + JSON", () => ProduceAsync(awaited, topic, arguments.Messages)),
                Counted("Produce with delivery handler + JSON", () => ProduceReportedAsync(reported, topic, arguments.Messages)),
            ],
            [
                Target.Ratio("of awaited ProduceAsync + JSON", 2.0, against: 1),
                Target.Ratio("of Produce with delivery handler + JSON", 1.0, against: 2),
                Target.Bytes(250),
            ]);
        return await row.MeasureAsync(arguments.Rounds);

        Candidate Counted(string name, Func<Task<Sample>> run) => Written(environment, topic, arguments.Messages, name, run);
    }

    public static async Task<RowResult> LatencyAsync(BenchmarkEnvironment environment, BenchmarkArguments arguments, TimeSpan linger)
    {
        var sends = linger > TimeSpan.Zero ? 200 : 1_000;
        var topic = await environment.NewTopicAsync("latency", partitions: 1);
        await using var kafka = new KafkaService(environment.Options(linger));
        await kafka.ConnectProducerAsync();
        using var producer = environment.NewProducer(linger);
        var row = new Row(
            "latency",
            string.Create(CultureInfo.InvariantCulture, $"sends one at a time, linger {linger.TotalMilliseconds} ms: the median one"),
            "ms",
            [
                Counted("awaited SendAsync", async i =>
                {
                    var message = UserEvent.Samples[i % UserEvent.Keys];
                    await kafka.SendAsync(topic, message, message.UserId);
                }),
                Counted("awaited ProduceAsync + JSON", i => ProduceAsync(producer, topic, UserEvent.Samples[i % UserEvent.Keys])),
            ],
            [Target.Ratio("of awaited ProduceAsync + JSON", 1.1, against: 1, atMost: true)]);
        return await row.MeasureAsync(arguments.Rounds);

        Candidate Counted(string name, Func<int, Task> sendAsync) => Written(environment, topic, sends, name, () => MedianAsync(sends, sendAsync));
    }

    // An acknowledgement is not taken at its word: the log must have grown by what was sent, no more and no less.
    internal static Candidate Written(BenchmarkEnvironment environment, string topic, int messages, string name, Func<Task<Sample>> runAsync) =>
        new(name, async () =>
    {
        var before = environment.CountWritten(topic);
        var sample = await runAsync();
        var written = environment.CountWritten(topic) - before;
        return written == messages ? sample : throw new InvalidOperationException($"{name}: of {messages} acknowledged messages {written} are in the log.");
    });

    private static async Task<Sample> MedianAsync(int sends, Func<int, Task> sendAsync)
    {
        var times = new double[sends];
        for (var i = 0; i < sends; i++)
        {
            var started = Stopwatch.GetTimestamp();
            await sendAsync(i);
            times[i] = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }

        Array.Sort(times);
        return new Sample(times[sends / 2], BytesPerMessage: null);
    }

    private static async Task<Sample> SendAsync(KafkaService kafka, string topic, int messages)
    {
        var outstanding = new Queue<ValueTask<SendResult>>(Window);
        var stretch = Sample.Start();
        for (var i = 0; i < messages; i++)
        {
            if (outstanding.Count == Window)
            {
                while (outstanding.Count > Window / 2)
                {
                    await outstanding.Dequeue();
                }
            }

            var message = UserEvent.Samples[i % UserEvent.Keys];
            outstanding.Enqueue(kafka.SendAsync(topic, message, message.UserId));
        }

        while (outstanding.TryDequeue(out var send))
        {
            await send;
        }

        return stretch.PerSecond(messages);
    }

    private static async Task<Sample> ProduceAsync(IProducer<string, byte[]> producer, string topic, int messages)
    {
        var outstanding = new Queue<Task<DeliveryResult<string, byte[]>>>(Window);
        var stretch = Sample.Start();
        for (var i = 0; i < messages; i++)
        {
            if (outstanding.Count == Window)
            {
                while (outstanding.Count > Window / 2)
                {
                    await outstanding.Dequeue();
                }
            }

            outstanding.Enqueue(ProduceAsync(producer, topic, UserEvent.Samples[i % UserEvent.Keys]));
        }

        while (outstanding.TryDequeue(out var send))
        {
            await send;
        }

        return stretch.PerSecond(messages);
    }

    private static Task<DeliveryResult<string, byte[]>> ProduceAsync(IProducer<string, byte[]> producer, string topic, UserEvent message) =>
        producer.ProduceAsync(topic, new Message<string, byte[]> { Key = message.UserId, Value = JsonSerializer.SerializeToUtf8Bytes(message, Json) });

    private static async Task<Sample> ProduceReportedAsync(IProducer<string, byte[]> producer, string topic, int messages)
    {
        using var progress = new SemaphoreSlim(0);
        var answered = 0;
        Exception? failure = null;
        void OnReport(DeliveryReport<string, byte[]> report)
        {
            if (report.Error.IsError)
            {
                failure = new ProduceException<string, byte[]>(report.Error, report);
            }

            if (Interlocked.Increment(ref answered) is var count && (count % (Window / 2) == 0 || count == messages))
            {
                progress.Release();
            }
        }

        var stretch = Sample.Start();
        for (var i = 0; i < messages; i++)
        {
            while (i - Volatile.Read(ref answered) >= Window)
            {
                await progress.WaitAsync();
            }

            var message = UserEvent.Samples[i % UserEvent.Keys];
            producer.Produce(topic, new Message<string, byte[]> { Key = message.UserId, Value = JsonSerializer.SerializeToUtf8Bytes(message, Json) }, OnReport);
        }

        while (Volatile.Read(ref answered) < messages)
        {
            await progress.WaitAsync();
        }

        var sample = stretch.PerSecond(messages);
        return failure is null ? sample : throw failure;
    }
}
