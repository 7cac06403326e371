using Confluent.Kafka;
using Narad.Kafka.Producing;

namespace Narad.Kafka.Tests.Producing;

/// <summary>Sending many messages at once.</summary>
public sealed class SendManyTests
{
    [SkippableTheory, Trait("Promise", "S2")]
    [InlineData("Embedded")]
    [InlineData("Kafka")]
    public async Task Many_messages_arrive_in_their_order_with_one_result_each(string where)
    {
        await using var sending = await Sending.ConnectAsync(where, options => options.TopicPartitions = 1);
        var topic = Sending.NewTopic();

        var results = await sending.Producer.SendManyAsync(topic, Enumerable.Range(0, 5000), i => i % 10, null, default).WaitAsync(Sending.Timeout);

        results.Should().HaveCount(5000);
        foreach (var partition in results.GroupBy(result => result.Partition))
        {
            partition.Select(result => result.Offset).Should().BeInAscendingOrder();
        }
    }

    [Fact]
    public async Task An_endless_sequence_is_read_only_as_far_as_answers_come()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);
        var read = 0;
        IEnumerable<string> Endless()
        {
            while (true)
            {
                read++;
                yield return "m";
            }
        }

        using var cancellation = new CancellationTokenSource();
        var many = sending.Producer.SendManyAsync("t", Endless(), null, null, cancellation.Token);
        read.Should().Be(MessageProducer.ManyWindow + 1);
        await cancellation.CancelAsync();
        var cancelled = (await many.Invoking(task => task).Should().ThrowAsync<KafkaSendCanceledException>()).Which;
        cancelled.MayHaveBeenWritten.Should().BeTrue();
        cancelled.Message.Should().Contain("'t'").And.Contain("may be written");
        clients.Last.Report(MessageProducer.ManyWindow);
    }

    [Fact]
    public async Task What_failed_is_named_by_its_index_and_the_others_have_their_results()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);
        var many = sending.Producer.SendManyAsync("t", ["a", "b", "c"], null, null, default);
        clients.Last.Report();
        clients.Last.Report(1, ErrorCode.TopicAuthorizationFailed, PersistenceStatus.NotPersisted);
        clients.Last.Report();

        var failure = (await many.Invoking(task => task).Should().ThrowAsync<KafkaSendManyException>()).Which;

        failure.Failures.Keys.Should().Equal(1);
        failure.Results.Select(result => result?.Offset).Should().Equal(0, null, 1);
        failure.Message.Should().Contain("1 of 3").And.Contain("'t'").And.Contain(nameof(ErrorCode.TopicAuthorizationFailed));
    }
}
