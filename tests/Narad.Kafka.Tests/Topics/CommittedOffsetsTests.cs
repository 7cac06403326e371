using System.Diagnostics;

namespace Narad.Kafka.Tests.Topics;

/// <summary>How far a group has come, as a broker tells it.</summary>
public sealed class CommittedOffsetsTests : IDisposable
{
    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start();

    public void Dispose() => _broker.Dispose();

    [Fact]
    public async Task A_group_continues_from_behind_what_it_handled_and_partitions_without_a_commit_are_left_out()
    {
        await using var kafka = Service();
        await HandledGoesOnFromBehindAsync(kafka, "orders", "billing");
    }

    [SkippableFact]
    public async Task On_real_Kafka_too()
    {
        await using var kafka = new KafkaService(
            new KafkaOptions
            {
                Mode = KafkaMode.Kafka, Brokers = RealKafka.Brokers, TopicCreation = TopicCreation.IfMissing, CommitInterval = TimeSpan.FromMilliseconds(50),
            });
        var name = RealKafka.NewName("committed");
        await HandledGoesOnFromBehindAsync(kafka, name, name);
    }

    [Fact]
    public async Task A_group_that_is_not_there_has_committed_nothing_and_looking_creates_no_topic()
    {
        await using var kafka = Service();
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec("orders")]);

        (await kafka.Topics.GetCommittedOffsetsAsync("nobody", "orders")).Should().BeEmpty();
        (await kafka.Topics.GetCommittedOffsetsAsync("nobody", "missing")).Should().BeEmpty();

        _broker.Topics.Should().NotContainKey("missing");
    }

    [Fact]
    public async Task A_broker_that_does_not_answer_is_a_clear_error()
    {
        await using var kafka = Service();
        await kafka.Topics.CreateIfNotExistsAsync([new TopicSpec("orders")]);
        _broker.StopBroker();

        (await kafka.Invoking(service => service.Topics.GetCommittedOffsetsAsync("billing", "orders")).Should().ThrowAsync<KafkaTopicException>())
            .Which.Topic.Should().Be("orders");
    }

    [Theory]
    [InlineData("", "orders")]
    [InlineData("billing", "no spaces")]
    public async Task An_illegal_name_is_refused(string group, string topic)
    {
        await using var kafka = Service();

        await kafka.Invoking(service => service.Topics.GetCommittedOffsetsAsync(group, topic)).Should().ThrowAsync<ArgumentException>();
    }

    [Fact]
    public async Task In_Console_there_are_none()
    {
        await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Console });

        (await kafka.Topics.GetCommittedOffsetsAsync("billing", "orders")).Should().BeEmpty();
    }

    private static async Task HandledGoesOnFromBehindAsync(KafkaService kafka, string topic, string group)
    {
        await kafka.Init().ConnectProducerAsync();
        await kafka.ConnectConsumerAsync(group);
        await kafka.SubscribeAsync<string>(topic, (_, _, _) => Task.CompletedTask, group);
        foreach (var text in new[] { "a", "b", "c" })
        {
            await kafka.SendAsync(topic, text, options: new SendOptions { Partition = 4 });
        }

        var started = Stopwatch.GetTimestamp();
        var committed = await kafka.Topics.GetCommittedOffsetsAsync(group, topic);
        while (committed.GetValueOrDefault(new TopicPartitionId(topic, 4)) < 3 && Stopwatch.GetElapsedTime(started) < Waiting.Deadline)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20));
            committed = await kafka.Topics.GetCommittedOffsetsAsync(group, topic);
        }

        committed.Should().Equal(new Dictionary<TopicPartitionId, long> { [new TopicPartitionId(topic, 4)] = 3 });
    }

    private KafkaService Service() => new(new KafkaOptions
    {
        Mode = KafkaMode.Embedded,
        EmbeddedBroker = _broker,
        CommitInterval = TimeSpan.FromMilliseconds(50),
        ConnectTimeout = TimeSpan.FromSeconds(1),
    });
}
