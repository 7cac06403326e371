using Confluent.Kafka;

namespace Narad.Kafka.Benchmarks;

/// <summary>A topic that candidates read, and what reading all of it must add up to.</summary>
internal sealed record FilledTopic(string Name, int Messages, long Offsets)
{
    private const int Window = 10_000;

    public static async Task<FilledTopic> CreateAsync(BenchmarkEnvironment environment, int messages, int partitions, Func<int, byte[]> value)
    {
        var topic = await environment.NewTopicAsync("consume", partitions);
        using var producer = environment.NewProducer();
        var sends = new Queue<Task<DeliveryResult<string, byte[]>>>(Window);
        long offsets = 0;
        for (var i = 0; i < messages; i++)
        {
            if (sends.Count == Window)
            {
                offsets += (await sends.Dequeue()).Offset.Value;
            }

            sends.Enqueue(producer.ProduceAsync(topic, new Message<string, byte[]> { Key = UserEvent.Samples[i % UserEvent.Keys].UserId, Value = value(i) }));
        }

        while (sends.TryDequeue(out var send))
        {
            offsets += (await send).Offset.Value;
        }

        return new FilledTopic(topic, messages, offsets);
    }

    /// <summary>Fails a run that lost messages or saw some twice: how many came, and the sum of their offsets.</summary>
    public void Check(int messages, long offsets)
    {
        if (messages != Messages || offsets != Offsets)
        {
            throw new InvalidOperationException(
                $"{messages} of {Messages} messages came, with offsets that add up to {offsets} instead of {Offsets}: some were lost or came twice.");
        }
    }
}
