using System.Collections.Concurrent;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Tests.Consuming;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Transactions;

/// <summary>
/// One group that handles a topic of its own exactly once into another one, on real Kafka, and what a reader of committed messages sees of it.
/// </summary>
internal sealed class Exactly(KafkaTestBroker broker)
{
    public string Topic { get; private set; } = "";

    public string Outputs { get; private set; } = "";

    public string Group { get; } = RealKafka.NewName("exactly");

    public LogEvents Log { get; } = new();

    /// <summary>What was invoked, in order.</summary>
    public ConcurrentQueue<string> Invoked { get; } = new();

    public static async Task<Exactly> OnAsync(KafkaTestBroker broker, int partitions = 1, int outputs = 1)
    {
        var exactly = new Exactly(broker) { Topic = await broker.CreateTopicAsync(partitions) };
        exactly.Outputs = await broker.CreateTopicAsync(outputs);
        return exactly;
    }

    public async Task<KafkaService> StartAsync(Action<KafkaOptions>? configure = null, bool logs = true)
    {
        var options = broker.Options(configure);
        options.TopicCreation = TopicCreation.IfMissing;
        options.ClientId = $"c-{Group[^8..]}";
        var service = new KafkaService(options, logs ? Log : null);
        await service.ConnectConsumerAsync(Group);
        return service;
    }

    /// <summary>Sends what it handles to the outputs, under the same key.</summary>
    public Task<ISubscription> SubscribeAsync(
        KafkaService service, Func<string, MessageContext, CancellationToken, Task>? handler = null, Action<SubscriptionOptions>? configure = null,
            Action<ExactlyOnceOptions>? transactions = null) =>
        service.SubscribeAsync<string>(
            Topic,
            async (message, context, token) =>
            {
                Invoked.Enqueue(message);
                await context.SendAsync(Outputs, $"out-{message}", context.Key, cancellationToken: token);
                if (handler is not null)
                {
                    await handler(message, context, token);
                }
            },
            configure: s =>
            {
                (s.ExactlyOnce.Enabled, s.ExactlyOnce.MaxWait) = (true, TimeSpan.FromMilliseconds(20));
                transactions?.Invoke(s.ExactlyOnce);
                configure?.Invoke(s);
            });

    public Task SendAsync(int partition, params string[] values) => broker.SendAsync(Topic, partition, values.Select(value => ((string?)$"k-{value}", value)));

    /// <summary>Waits until it is committed; says what was logged where that is in vain.</summary>
    public Task CommittedReaches(int partition, long offset) => ExplainedAsync(broker.CommittedReaches(Group, Topic, partition, offset));

    /// <summary>Waits for a condition; says what was logged where that is in vain.</summary>
    public Task Until(Func<bool> condition, string what) => ExplainedAsync(Waiting.Until(condition, what));

    public long Committed(int partition) => broker.Committed(Group, Topic, partition);

    private async Task ExplainedAsync(Task waiting)
    {
        try
        {
            await waiting;
        }
        catch (TimeoutException error)
        {
            var log = Log.All.TakeLast(60).Select(logged => $"{logged.Id} {logged.Message} {logged.Error?.Message}");
            throw new TimeoutException(
                $"{error.Message}. Committed in partition 0: {Committed(0)}. Invoked: {string.Join(' ', Invoked)}.\n{string.Join('\n', log)}", error);
        }
    }

    /// <summary>The values that a reader of committed messages finds in the outputs.</summary>
    public List<string> Committed(string? topic = null, int expected = 0) =>
        [.. broker.ReadAll(topic ?? Outputs, expected).Select(result => Encoding.UTF8.GetString(result.Message.Value!))];

    public string TransactionalId(string instance) => $"c-{Group[^8..]}-{Group}-{instance}";

    /// <summary>Another producer takes over a transactional.id.</summary>
    public static IProducer<byte[], byte[]> TakeOver(string brokers, string transactionalId)
    {
        var other = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = brokers, TransactionalId = transactionalId })
            .SetLogHandler((_, _) => { }).Build();
        other.InitTransactions(TimeSpan.FromSeconds(20));
        return other;
    }
}
