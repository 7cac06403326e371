using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Producing;

namespace Narad.Kafka.Tests.Producing;

/// <summary>What a send answers.</summary>
public sealed class SendTests
{
    private sealed record Greeting(string Message);

    [SkippableTheory, Trait("Promise", "S1")]
    [InlineData("Embedded")]
    [InlineData("Kafka")]
    public async Task A_send_completes_with_topic_partition_and_offset_of_what_the_topic_then_holds(string where)
    {
        await using var sending = await Sending.ConnectAsync(where);
        var topic = Sending.NewTopic();
        var time = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeMilliseconds());

        var sent = await sending.SendAsync(
            topic, new Greeting("Hello World"), "a", new SendOptions { Headers = new MessageHeaders().Add("h", "v"), Timestamp = time });
        var tombstone = await sending.Producer.SendTombstoneAsync(topic, "a", null, default);

        sent.Topic.Should().Be(topic);
        tombstone.Should().Be(sent with { Offset = sent.Offset + 1 });
        var read = sending.ReadAll(topic, 2);
        read.Should().HaveCount(2);
        read[0].Partition.Value.Should().Be(sent.Partition);
        read[0].Offset.Value.Should().Be(sent.Offset);
        Encoding.UTF8.GetString(read[0].Message.Value!).Should().Be("""{"message":"Hello World"}""");
        Encoding.UTF8.GetString(read[0].Message.Key!).Should().Be("a");
        Encoding.UTF8.GetString(read[0].Message.Headers.GetLastBytes("h")).Should().Be("v");
        read[0].Message.Timestamp.UtcDateTime.Should().Be(time.UtcDateTime);
        read[1].Message.Value.Should().BeNull();
    }

    [SkippableTheory, Trait("Promise", "S4")]
    [InlineData("Embedded")]
    [InlineData("Kafka")]
    [Trait("Trap", "flush-reorders")]
    public async Task Stopping_waits_for_what_was_sent_and_its_counts_add_up(string where)
    {
        await using var sending = await Sending.ConnectAsync(where);
        var topic = Sending.NewTopic();
        var sends = Enumerable.Range(0, 1000).Select(i => sending.SendAsync(topic, $"{i}").AsTask()).ToList();

        var counts = await sending.Producer.StopAsync(Sending.Timeout);

        sends.Should().OnlyContain(send => send.IsCompletedSuccessfully);
        counts.Should().BeEquivalentTo(new SendCounts(1000, 0, 0, []));
        sending.Producer.InFlight.Should().Be(0);
        (await sending.Producer.StopAsync(TimeSpan.Zero)).Should().BeSameAs(counts);
    }
}
