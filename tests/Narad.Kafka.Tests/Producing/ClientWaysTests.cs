using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Producing;

namespace Narad.Kafka.Tests.Producing;

/// <summary>The two ways into the client, librdkafka's functions and Confluent.Kafka's methods, do the same; only the speed differs.</summary>
public sealed class ClientWaysTests
{
    // Else all would be slow, and nothing would say so.
    [Fact]
    public void This_version_of_the_client_lets_sends_in_directly() => DirectAccess.MissingForSending.Should().BeNull();

    [SkippableTheory, Trait("Promise", "S1")]
    [InlineData("Embedded", true)]
    [InlineData("Embedded", false)]
    [InlineData("Kafka", true)]
    [InlineData("Kafka", false)]
    public async Task Every_byte_arrives_and_null_and_empty_stay_apart(string where, bool direct)
    {
        await using var sending = await ConnectAsync(where, direct, options => options.TopicPartitions = 2);
        var topic = Sending.NewTopic();
        byte[]?[] keys = [null, [], [0], [255, 0, 1], Encoding.UTF8.GetBytes("käse"), Bytes(10_000)];
        byte[][] values = [[], [0], [0, 0, 255], Bytes(100_000)];
        var expected = new List<(byte[]? Key, byte[] Value)>();
        foreach (var key in keys)
        {
            foreach (var value in values)
            {
                var headers = new MessageHeaders().Add("null", (byte[]?)null).Add("empty", Array.Empty<byte>()).Add("bytes", [0, 255]).Add("größe", "ä")
                    .Add("bytes", [1]);
                await sending.SendAsync(topic, value, key is null ? MessageKey.None : key, new SendOptions { Headers = headers, Partition = 1 });
                expected.Add((key, value));
            }
        }

        var read = sending.ReadAll(topic, expected.Count);

        read.Should().OnlyContain(record => record.Partition.Value == 1);
        read.Select(record => (record.Message.Key, record.Message.Value)).Should().BeEquivalentTo(expected, options => options.WithStrictOrdering());
        foreach (var record in read)
        {
            record.Message.Headers.Select(header => header.Key).Should().Equal("null", "empty", "bytes", "größe", "bytes");
            record.Message.Headers.Select(header => header.GetValueBytes()).Should().BeEquivalentTo(
                new byte[]?[] { null, [], [0, 255], Encoding.UTF8.GetBytes("ä"), [1] },
                options => options.WithStrictOrdering());
        }
    }

    [SkippableTheory, Trait("Promise", "S1")]
    [InlineData("Embedded", true)]
    [InlineData("Embedded", false)]
    [InlineData("Kafka", true)]
    [InlineData("Kafka", false)]
    public async Task What_the_client_refuses_fails_alone_and_says_why(string where, bool direct)
    {
        await using var sending = await ConnectAsync(where, direct, options => options.MaxMessageBytes = 10_000);
        var topic = Sending.NewTopic();
        await sending.SendAsync(topic, "first", "k");

        var tooLarge = await Failure(sending.SendAsync(topic, Bytes(20_000), "k"));
        var nowhere = await Failure(sending.SendAsync(topic, "m", "k", new SendOptions { Partition = 4_711 }));
        var refusedName = await Failure(sending.SendAsync(topic + new string('x', 600), "m", "k", new SendOptions()));
        var last = await sending.SendAsync(topic, "last", "k");

        tooLarge.Reason.Should().Be(nameof(ErrorCode.MsgSizeTooLarge));
        tooLarge.MayHaveBeenWritten.Should().BeFalse();
        nowhere.Message.Should().Contain("4711");
        refusedName.MayHaveBeenWritten.Should().BeFalse();
        last.Offset.Should().Be(1);
    }

    [SkippableTheory, Trait("Promise", "S2")]
    [InlineData("Embedded", true)]
    [InlineData("Embedded", false)]
    [InlineData("Kafka", true)]
    [InlineData("Kafka", false)]
    public async Task Of_many_more_sends_than_the_client_holds_each_is_answered_with_its_own_offset(string where, bool direct)
    {
        await using var sending = await ConnectAsync(where, direct, options =>
        {
            options.TopicPartitions = 1;
            options.ClientProperties["queue.buffering.max.messages"] = "5000";
        });
        string[] topics = [Sending.NewTopic(), Sending.NewTopic(), Sending.NewTopic()];
        foreach (var topic in topics)
        {
            await sending.SendAsync(topic, "first");
        }

        const int Each = 10_000;
        var sends = new Task<SendResult>[topics.Length * Each];
        for (var i = 0; i < sends.Length; i++)
        {
            sends[i] = sending.SendAsync(topics[i % topics.Length], $"{i / topics.Length}").AsTask();
        }

        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);

        sends.Select((send, i) => (send.Result.Topic, send.Result.Offset)).Should()
            .Equal(sends.Select((_, i) => (topics[i % topics.Length], 1L + (i / topics.Length))));
    }

    private static byte[] Bytes(int count) => [.. Enumerable.Range(0, count).Select(i => (byte)(i * 31))];

    private static Task<Sending> ConnectAsync(string where, bool direct, Action<KafkaOptions> configure)
        => direct ? Sending.ConnectAsync(where, configure) : Sending.ConnectIndirectlyAsync(where, configure);

    private static async Task<KafkaSendException> Failure(ValueTask<SendResult> send)
        => (await send.AsTask().WaitAsync(Sending.Timeout).Invoking(task => task).Should().ThrowAsync<KafkaSendException>()).Which;
}
