using System.Globalization;
using Confluent.Kafka;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Tests.Consuming;

namespace Narad.Kafka.Tests.OwnProcess;

/// <summary>
/// Handles a partition behind a key that never finishes, and is killed once what it finished ahead is committed. Writes the offset of each message that it
/// finished. Arguments: brokers, group, topic, how many messages it can finish.
/// </summary>
internal static class KilledConsumer
{
    public static async Task<int> RunAsync(string[] arguments)
    {
        var (brokers, group, topic, count) = (arguments[0], arguments[1], arguments[2], int.Parse(arguments[3], CultureInfo.InvariantCulture));
        await using var kafka = new KafkaService(
            new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = brokers, CommitInterval = TimeSpan.FromMilliseconds(50) });
        await kafka.ConnectConsumerAsync(group);
        await kafka.SubscribeAsync<string>(topic, async (_, context, token) =>
        {
            if (context.Key.ToString() == "slow")
            {
                await Task.Delay(Timeout.Infinite, token);
            }

            lock (arguments)
            {
                Console.WriteLine(context.Offset.ToString(CultureInfo.InvariantCulture));
            }
        });
        using var client = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig { BootstrapServers = brokers, GroupId = group, EnableAutoCommit = false })
            .SetLogHandler((_, _) => { }).Build();
        var partition = new TopicPartition(topic, 0);
        await Waiting.Until(
            () => LibrdkafkaOffsets.Committed(client.Handle, [partition], TimeSpan.FromSeconds(10)).TryGetValue(partition, out var committed)
                && RecordedAhead.CountOf(committed) == count,
            "all that is finished ahead is committed");
        await Console.Out.FlushAsync();
        using var own = System.Diagnostics.Process.GetCurrentProcess();
        own.Kill();
        await Task.Delay(Timeout.Infinite);
        return 0;
    }
}
