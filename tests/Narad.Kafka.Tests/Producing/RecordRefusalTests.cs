using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Narad.Kafka.Tests.Producing;

/// <summary>A broker refuses a whole batch for one record in it: only that record fails.</summary>
public sealed class RecordRefusalTests
{
    public static TheoryData<ErrorCode, bool> Refusals => new()
    {
        { ErrorCode.InvalidRecord, true },
        { ErrorCode.InvalidRecord, false },
        { ErrorCode.InvalidTimestamp, true },
        { ErrorCode.InvalidTimestamp, false },
        { ErrorCode.InvalidMsg, false },
        { ErrorCode.InvalidMsgSize, false },
        { ErrorCode.RecordListTooLarge, false },
        { ErrorCode.UnsupportedForMessageFormat, false },
    };

    [Theory, Trait("Promise", "S6")]
    [MemberData(nameof(Refusals))]
    public async Task A_refused_record_fails_alone_and_its_neighbours_keep_their_order(ErrorCode code, bool lists)
    {
        var client = new BatchingClient(batch: 8, code, lists);
        await using var sending = await Sending.ConnectAsync(_ => client);
        int[] bad = [3, 4, 11, 23];
        var sends = Enumerable.Range(0, 24).Select(i => sending.SendAsync("t", bad.Contains(i) ? $"bad {i}" : $"{i}", "k").AsTask()).ToList();

        await AnswerUntilAll(client, sends);

        Enumerable.Range(0, 24).Where(i => sends[i].IsFaulted).Should().Equal(bad);
        client.Written.Should().Equal(Enumerable.Range(0, 24).Except(bad).Select(i => $"{i}"));
        foreach (var failure in bad.Select(i => (KafkaSendException)sends[i].Exception!.InnerException!))
        {
            failure.Reason.Should().Be(code.ToString());
            failure.MayHaveBeenWritten.Should().BeFalse();
        }
    }

    [Fact, Trait("Promise", "S6")]
    public async Task A_refused_batch_that_goes_again_has_the_bytes_of_the_call()
    {
        var client = new BatchingClient(batch: 8, ErrorCode.InvalidRecord, lists: true);
        await using var sending = await Sending.ConnectAsync(_ => client);
        var first = sending.SendAsync("t", "first").AsTask();
        await AnswerUntilAll(client, [first]);
        var buffer = new byte[5];
        var sends = new List<Task<SendResult>>();
        for (var i = 0; i < 8; i++)
        {
            Encoding.UTF8.GetBytes(i == 5 ? "bad.." : $"n = {i}", buffer);
            sends.Add(sending.SendAsync("t", buffer, buffer).AsTask());
        }

        buffer.AsSpan().Clear();
        await AnswerUntilAll(client, sends);

        client.Written.Skip(1).Should().Equal("n = 0", "n = 1", "n = 2", "n = 3", "n = 4", "n = 6", "n = 7");
        ((KafkaSendException)sends[5].Exception!.InnerException!).Key.Should().Be(MessageKey.From("bad.."u8.ToArray()));
    }

    [Theory, Trait("Promise", "S6")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_batch_that_a_broker_refuses_once_is_written_in_order_with_the_bytes_of_the_call(bool native)
    {
        using var broker = EmbeddedBroker.Start();
        void Configure(KafkaOptions options) => (options.EmbeddedBroker, options.Linger) = (broker, TimeSpan.FromMilliseconds(20));
        await using var sending = native ? await Sending.ConnectAsync("Embedded", Configure) : await Sending.ConnectIndirectlyAsync("Embedded", Configure);
        var topic = Sending.NewTopic();
        await sending.SendAsync(topic, "first", "k");
        broker.FailNext(KafkaRequest.Produce, ErrorCode.InvalidRecord);
        var buffer = new byte[4];
        var sends = new List<Task<SendResult>>();
        for (var i = 0; i < 40; i++)
        {
            Encoding.UTF8.GetBytes(i.ToString("D4", CultureInfo.InvariantCulture), buffer);
            sends.Add(sending.SendAsync(topic, buffer, "k", new SendOptions { Headers = new MessageHeaders().Add("h", buffer) }).AsTask());
        }

        buffer.AsSpan().Clear();
        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);

        var read = sending.ReadAll(topic, 41).Skip(1).ToList();
        var expected = Enumerable.Range(0, 40).Select(i => i.ToString("D4", CultureInfo.InvariantCulture)).ToList();
        read.Select(result => Encoding.UTF8.GetString(result.Message.Value!)).Should().Equal(expected);
        read.Select(result => Encoding.UTF8.GetString(result.Message.Headers[0].GetValueBytes())).Should().Equal(expected);
    }

    [SkippableTheory, Trait("Promise", "S6")]
    [InlineData("compact", "", ErrorCode.InvalidRecord)]
    [InlineData("delete", "86400000", ErrorCode.InvalidTimestamp)]
    public async Task On_real_Kafka_a_refused_record_fails_alone_and_its_neighbours_keep_their_order(string cleanup, string furthestAhead, ErrorCode code)
    {
        Skip.If(Sending.RealKafka is null, "NARAD_TEST_KAFKA names no broker.");
        await using var sending = await Sending.ConnectAsync("Kafka", options => options.Linger = TimeSpan.FromMilliseconds(50));
        var topic = Sending.NewTopic();
        using (var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Sending.RealKafka }).Build())
        {
            var configs = new Dictionary<string, string> { ["cleanup.policy"] = cleanup };
            if (furthestAhead.Length > 0)
            {
                configs["message.timestamp.after.max.ms"] = furthestAhead;
            }

            await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = 1, ReplicationFactor = 1, Configs = configs }]);
        }

        int[] bad = [20, 21, 77];
        var sends = Enumerable.Range(0, 100).Select(i => (bad.Contains(i), code) switch
        {
            (false, _) => sending.SendAsync(topic, $"{i}", $"k{i}"),
            (_, ErrorCode.InvalidRecord) => sending.SendAsync(topic, $"{i}", MessageKey.None, new SendOptions { Partition = 0 }),
            _ => sending.SendAsync(topic, $"{i}", $"k{i}", new SendOptions { Timestamp = DateTimeOffset.UtcNow.AddDays(30) }),
        }).Select(send => send.AsTask()).ToList();
        await Task.WhenAll(sends).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Sending.Timeout);

        Enumerable.Range(0, 100).Where(i => sends[i].IsFaulted).Should().Equal(bad);
        bad.Select(i => ((KafkaSendException)sends[i].Exception!.InnerException!).Reason).Should().OnlyContain(reason => reason == code.ToString());
        sending.ReadAll(topic, 97).Select(result => int.Parse(Encoding.UTF8.GetString(result.Message.Value!), CultureInfo.InvariantCulture))
            .Should().Equal(Enumerable.Range(0, 100).Except(bad));
    }

    private static async Task AnswerUntilAll(BatchingClient client, List<Task<SendResult>> sends)
    {
        await Sending.Until(
            () =>
            {
                client.Answer();
                return sends.TrueForAll(send => send.IsCompleted);
            },
            "all answers");
    }
}
