using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Narad.Kafka.Tests.Producing;

namespace Narad.Kafka.Tests;

/// <summary>Nothing of a message, or of what the application made of it, outlives the message in objects that are used again.</summary>
public sealed class MemoryTests
{
    private const int Messages = 300;

    public static TheoryData<string> Fates =>
        ["handled", "dead letter", "dead letter after retries", "dead letter of a batch", "repeated", "skipped", "skipped by name"];

    [Theory]
    [MemberData(nameof(Fates))]
    [Trait("Promise", "S13")]
    public async Task Nothing_of_a_message_is_in_memory_when_it_is_finished(string fate)
    {
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("t", 1);
        await using var kafka = new KafkaService(
            new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = broker, CommitInterval = TimeSpan.FromMilliseconds(50) });
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("g");
        var traces = new ConcurrentQueue<WeakReference>();
        var finished = 0;
        var subscription = await SubscribeAsync(kafka, fate, traces, () => Interlocked.Increment(ref finished)).WaitAsync(Waiting.Deadline);
        await kafka.SendManyAsync("t", Enumerable.Range(0, Messages).Select(i => new Text($"{i}")), text => text.Value);

        if (fate == "skipped by name")
        {
            for (var i = 0; i < Messages; i++)
            {
                await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "it is stopped");
                await subscription.SkipFailedMessageAsync(subscription.StoppedPartitions[0].Partition);
            }
        }

        await Waiting.Until(() => Volatile.Read(ref finished) >= Messages && traces.Count >= Messages, "all were handled");
        await Waiting.Until(
            () =>
            {
                GC.Collect();
                return traces.Count(static trace => trace.IsAlive) == 0;
            },
            $"nothing of {traces.Count} objects is in memory");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Promise", "S13")]
    public async Task Nothing_of_a_send_is_in_memory_when_it_is_answered(bool awaited)
    {
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("t", 1);
        await using var sending = await Sending.ConnectAsync("Embedded", options => (options.EmbeddedBroker, options.MaxMessageBytes) = (broker, 10_000));
        await sending.SendAsync("t", "first");

        var traces = await SendAllAsync(sending, awaited);
        await Sending.Until(() => sending.Producer.InFlight == 0, "all answers");

        await Sending.Until(
            () =>
            {
                GC.Collect();
                return traces.TrueForAll(static trace => !trace.IsAlive);
            },
            "nothing of a send is in memory");
    }

    [Fact]
    [Trait("Promise", "S13")]
    public async Task Topics_that_nothing_is_sent_to_any_more_are_forgotten_and_may_be_sent_to_again()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients, options => options.Mode = KafkaMode.Kafka);
        for (var i = 0; i < 5_000; i += 100)
        {
            var sends = Enumerable.Range(i, 100).Select(number => sending.SendAsync($"t{number}", "m").AsTask()).ToList();
            sends.Add(sending.SendAsync("steady", $"{i}").AsTask());
            await AnswerAsync(clients, sends);
        }

        sending.Producer.Topics.Should().BeLessThan(5 * Kafka.Producing.WaitingSends.Kept);
        var again = sending.SendAsync("t0", "again").AsTask();
        await AnswerAsync(clients, [again]);
        (await again).Topic.Should().Be("t0");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Task<ISubscription> SubscribeAsync(KafkaService kafka, string fate, ConcurrentQueue<WeakReference> traces, Action finished)
    {
        if (fate == "dead letter of a batch")
        {
            return kafka.SubscribeBatchAsync<Text>(
                "t",
                (batch, _) =>
                {
                    foreach (var (message, context) in batch.Items)
                    {
                        Note(message, context);
                    }

                    finished();
                    throw Failure(0);
                },
                configure: options => { options.MaxBatchSize = 1; options.DeadLetter.Enabled = true; });
        }

        return kafka.SubscribeAsync<Text>(
            "t",
            (message, context, _) =>
            {
                Note(message, context);
                switch (fate)
                {
                    case "handled":
                    case "repeated" when context.Attempt == 2:
                        finished();
                        return Task.CompletedTask;
                    case "dead letter after retries" when context.Retry == 0:
                    case "repeated":
                        throw Failure(context.Attempt);
                    default:
                        finished();
                        throw Failure(context.Attempt);
                }
            },
            configure: options =>
            {
                options.DeadLetter.Enabled = fate is "dead letter" or "dead letter after retries";
                options.Retry.Topic.MaxAttempts = fate is "dead letter after retries" ? 1 : 0;
                options.Retry.Topic.Delay = TimeSpan.FromMilliseconds(10);
                options.Retry.AllowReorder = fate is "dead letter after retries";
                options.Retry.InMemory.MaxAttempts = fate is "repeated" ? 1 : 0;
                if (fate is "skipped")
                {
                    options.Retry.ExceptionActions[typeof(InvalidOperationException)] = FailureAction.Skip;
                }
            });

        void Note(Text message, MessageContext context)
        {
            traces.Enqueue(new WeakReference(message));
            traces.Enqueue(new WeakReference(context));
        }

        InvalidOperationException Failure(int attempt)
        {
            var failure = new InvalidOperationException($"attempt {attempt}");
            traces.Enqueue(new WeakReference(failure));
            return failure;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<List<WeakReference>> SendAllAsync(Sending sending, bool awaited)
    {
        var traces = new List<WeakReference>();
        var sends = new List<Task>();
        for (var i = 0; i < Messages; i++)
        {
            // Every tenth is too large and fails.
            var (value, key, header) = (new byte[i % 10 == 0 ? 20_000 : 100], new byte[4], new byte[8]);
            lock (traces)
            {
                traces.AddRange([new WeakReference(value), new WeakReference(key), new WeakReference(header)]);
            }

            var send = sending.SendAsync("t", value, key, new SendOptions { Headers = new MessageHeaders().Add("h", header) });
            if (awaited)
            {
                sends.Add(NoteFailureAsync(send, traces));
            }
        }

        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
        return traces;
    }

    private static async Task NoteFailureAsync(ValueTask<SendResult> send, List<WeakReference> traces)
    {
        try
        {
            await send;
        }
        catch (KafkaSendException failure)
        {
            lock (traces)
            {
                traces.Add(new WeakReference(failure));
            }
        }
    }

    private static Task AnswerAsync(ScriptedClients clients, List<Task<SendResult>> sends) => Sending.Until(
        () =>
        {
            clients.Last.Report(1_000);
            return sends.TrueForAll(static send => send.IsCompleted);
        },
        "all answers");

    private sealed record Text(string Value);
}
