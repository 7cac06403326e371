using System.Collections.Concurrent;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Tests.Transports;

/// <summary>The whole service on the embedded broker, with more than that can hold.</summary>
public sealed class EmbeddedBacklogTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    private static readonly TimeSpan Deadline = Waiting.Deadline;

    [Fact]
    [Trait("Trap", "mock-drops-oldest")]
    public async Task Forty_MB_through_one_partition_of_5_MiB_are_all_handled_in_order()
    {
        const int Messages = 40_000;
        var topic = kafka.CreateTopic(partitions: 1);
        await using var service = new KafkaService(kafka.CreateOptions(options => options.SendTimeout = Deadline));
        await service.Init().ConnectProducerAsync();
        await service.ConnectConsumerAsync(kafka.NewName("group"));
        var offsets = new ConcurrentQueue<long>();
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await service.SubscribeAsync<byte[]>(
            topic,
            (_, context, _) =>
            {
                offsets.Enqueue(context.Offset);
                if (offsets.Count == Messages)
                {
                    all.SetResult();
                }

                return Task.CompletedTask;
            },
            configure: subscription => subscription.Order = MessageOrder.ByPartition);

        var sends = new Task[Messages];
        for (var i = 0; i < Messages; i++)
        {
            sends[i] = service.SendAsync(topic, new byte[1_000]).AsTask();
        }

        await Task.WhenAll(sends).WaitAsync(Deadline);
        await all.Task.WaitAsync(Deadline);
        offsets.Should().Equal(Enumerable.Range(0, Messages).Select(offset => (long)offset));
    }

    [Fact]
    public async Task What_nobody_reads_fails_in_time_once_the_partition_is_full_and_says_why()
    {
        const int Messages = 8_000;
        var topic = kafka.CreateTopic(partitions: 1);
        await using var service = new KafkaService(kafka.CreateOptions(options => options.SendTimeout = TimeSpan.FromSeconds(2)));
        await service.Init().ConnectProducerAsync();
        var sends = Enumerable.Range(0, Messages).Select(_ => service.SendAsync(topic, new byte[1_000]).AsTask()).ToList();
        await FluentActions.Awaiting(() => Task.WhenAll(sends).WaitAsync(Deadline)).Should().ThrowAsync<KafkaSendException>();

        var written = sends.Count(send => send.IsCompletedSuccessfully);
        written.Should().BeInRange(3_000, 4_200);
        var failed = sends.Find(send => send.IsFaulted)!.Exception!.InnerException.Should().BeOfType<KafkaSendException>().Which;
        failed.Message.Should().Contain("no group in this process reads it").And.Contain(topic);
        failed.MayHaveBeenWritten.Should().BeFalse();
    }
}
