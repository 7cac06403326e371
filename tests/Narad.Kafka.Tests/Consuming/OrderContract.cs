using System.Collections.Concurrent;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>Which handlers may run side by side.</summary>
public abstract class OrderContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    [SkippableFact]
    [Trait("Promise", "S8")]
    [Trait("Promise", "S18")]
    public async Task Handlers_of_a_key_never_overlap_and_never_invert_retries_included()
    {
        var (topic, group) = (await broker.CreateTopicAsync(3), broker.NewGroup());
        for (var partition = 0; partition < 3; partition++)
        {
            await broker.SendAsync(topic, partition, 400, n => $"k{n % 50}");
        }

        var order = new OrderCheck();
        var attempts = new ConcurrentDictionary<(int, long), int>();
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            async (_, context, _) =>
            {
                using (order.Enter(context))
                {
                    await Task.Delay(Random.Shared.Next(3));
                    var attempt = attempts.AddOrUpdate((context.Partition, context.Offset), 1, static (_, n) => n + 1);
                    if (context.Offset % 7 == 0 && attempt < 3)
                    {
                        throw new InvalidOperationException("not yet");
                    }
                }

                order.Finish(context);
            },
            configure: s =>
            {
                s.Parallelism = 64;
                s.Retry.InMemory.MaxAttempts = 2;
                s.Retry.InMemory.DelayGenerator = attempt => TimeSpan.FromMilliseconds(attempt * 3);
            });

        await Waiting.Until(() => order.Finished == 1_200, "all are handled");
        order.Faults.Should().BeEmpty();
        order.MostAtOnce.Should().BeGreaterThan(8, "keys run side by side");
    }

    [SkippableFact]
    [Trait("Promise", "S8")]
    public async Task OrderedByPartition_handles_one_after_the_other_and_partitions_side_by_side()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 20, static _ => null);
        await broker.SendAsync(topic, 1, 20);
        var both = new TaskCompletionSource();
        var inside = new int[2];
        var faults = new ConcurrentQueue<string>();
        var handled = new ConcurrentQueue<(int Partition, long Offset)>();
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            async (_, context, _) =>
            {
                if (Interlocked.Increment(ref inside[context.Partition]) != 1)
                {
                    faults.Enqueue($"overlap at {context.Partition}:{context.Offset}");
                }

                if (Volatile.Read(ref inside[0]) + Volatile.Read(ref inside[1]) == 2)
                {
                    both.TrySetResult();
                }

                await both.Task;
                await Task.Yield();
                handled.Enqueue((context.Partition, context.Offset));
                Interlocked.Decrement(ref inside[context.Partition]);
            },
            configure: s => s.Order = MessageOrder.ByPartition);
        await Waiting.Until(() => handled.Count == 40, "all are handled");
        faults.Should().BeEmpty();
        handled.Where(at => at.Partition == 0).Select(at => at.Offset).Should().BeInAscendingOrder();
        handled.Where(at => at.Partition == 1).Select(at => at.Offset).Should().BeInAscendingOrder();
    }

    [SkippableTheory]
    [InlineData(true, null)]
    [InlineData(false, "same")]
    [Trait("Promise", "S8")]
    public async Task Without_a_key_or_without_order_messages_run_side_by_side(bool byKey, string? key)
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 8, _ => key);
        var all = new CountdownEvent(8);
        var together = new TaskCompletionSource();
        await using var kafka = await broker.StartAsync(group);
        await kafka.SubscribeAsync<string>(
            topic,
            async (_, _, _) =>
            {
                if (all.Signal())
                {
                    together.SetResult();
                }

                await together.Task;
            },
            configure: s => s.Order = byKey ? MessageOrder.ByKey : MessageOrder.Unordered);
        await broker.CommittedReaches(group, topic, 0, 8);
    }
}

/// <summary>Watches handlers: no two of a partition and key at once, and no message behind a later one of its key.</summary>
internal sealed class OrderCheck
{
    private readonly ConcurrentDictionary<(int, string), int> _inside = new();
    private readonly ConcurrentDictionary<(int, string), long> _last = new();
    private readonly ConcurrentDictionary<(int, long), bool> _seen = new();
    private int _atOnce;
    private int _most;
    private int _finished;

    public ConcurrentQueue<string> Faults { get; } = new();

    public int MostAtOnce => Volatile.Read(ref _most);

    public int Finished => Volatile.Read(ref _finished);

    public IDisposable Enter(MessageContext context)
    {
        var key = (context.Partition, context.Key.ToString());
        if (_inside.AddOrUpdate(key, 1, static (_, n) => n + 1) != 1)
        {
            Faults.Enqueue($"two of {key} at once, at {context.Offset}");
        }

        // A redelivery (after a rebalance) goes back, and from there on upwards again.
        var isNew = _seen.TryAdd((context.Partition, context.Offset), true);
        if (isNew && _last.TryGetValue(key, out var last) && last > context.Offset)
        {
            Faults.Enqueue($"{key}: {context.Offset} after {last}");
        }

        _last[key] = context.Offset;
        var now = Interlocked.Increment(ref _atOnce);
        for (var most = MostAtOnce; now > most && Interlocked.CompareExchange(ref _most, now, most) != most; most = MostAtOnce)
        {
        }

        return new Leaving(this, key);
    }

    public void Finish(MessageContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        Interlocked.Increment(ref _finished);
    }

    private sealed class Leaving(OrderCheck check, (int, string) key) : IDisposable
    {
        public void Dispose()
        {
            Interlocked.Decrement(ref check._atOnce);
            check._inside.AddOrUpdate(key, 0, static (_, n) => n - 1);
        }
    }
}

public sealed class OrderOnEmbedded(EmbeddedTestBroker broker) : OrderContract<EmbeddedTestBroker>(broker);

public sealed class OrderOnKafka(KafkaTestBroker broker) : OrderContract<KafkaTestBroker>(broker);
