using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Tests.Consuming;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.KeyOrder;

/// <content>Whoever may write to a retry topic whose keys are kept in order may cause work there, and never makes a message go unhandled.</content>
public abstract partial class KeyOrderContract<TBroker>
{
    private const int Refused = 3200;
    private const int NotOurs = 3202;

    [SkippableFact]
    [Trait("Promise", "S23")]
    [Trait("Promise", "S26")]
    public async Task A_forged_record_far_ahead_makes_no_later_message_of_its_key_go_unhandled_also_after_a_restart()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var log = new HandledLog();
        using var logs = new LogEvents();
        await using (var first = await StartAsync(group, logs))
        {
            await SubscribeAsync(first, topic, log, static (_, _) => false);
            await broker.SendAsync(topic, 0, [("k", "0")]);
            await Waiting.Until(() => log.Count == 1, "the first is handled");
            await broker.CommittedReaches(group, topic, 0, 1);
        }

        await ForgeAsync(topic, group, offset: 9_000_000_000_000_000, due: false, ("narad-writer", "x"), ("narad-committed", "0"), ("narad-released", "0"),
            ("narad-next", "0"));
        await ForgeAsync(topic, group, offset: 9_000_000_000_000_000, due: true, ("narad-writer", "x"), ("narad-committed", "0"));
        for (var round = 0; round < 2; round++)
        {
            await using var again = await StartAsync(group, logs);
            await SubscribeAsync(again, topic, log, static (_, _) => false);
            await broker.SendAsync(topic, 0, Enumerable.Range(1 + (round * 50), 50).Select(static n => ((string?)"k", $"{n}")));
            await Waiting.Until(() => log.All.Count(static message => message != "forged") == 51 + (round * 50), "all of the key are handled");
        }

        log.All.Where(static message => message != "forged").Should().Equal(Enumerable.Range(0, 101).Select(static n => $"{n}"));
        log.All.Should().Contain("forged", "it holds a message, which is work");
        logs.Count(Refused).Should().BePositive();
    }

    [SkippableFact]
    [Trait("Promise", "S23")]
    [Trait("Promise", "S26")]
    public async Task A_forged_key_checkpoint_leaves_what_waits_waiting()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var log = new HandledLog();
        var repaired = false;
        using var logs = new LogEvents();
        await using (var first = await StartAsync(group))
        {
            await SubscribeAsync(first, topic, log, (_, _) => !Volatile.Read(ref repaired), Backoff.Fixed(TimeSpan.FromSeconds(1)), attempts: 1_000);
            await broker.SendAsync(topic, 0, Enumerable.Range(0, 10).Select(static n => ((string?)"k", $"{n}")));
            await Waiting.Until(() => first.Groups.Single().Metrics.BlockedKeyMessages == 9, "they wait");
            await broker.CommittedReaches(group, topic, 0, 10);
        }

        await ForgeAsync(topic, group, offset: 0, due: false, ("narad-writer", "x"), ("narad-released", "9000000000000000"),
            ("narad-next", "9000000000000000"));
        Volatile.Write(ref repaired, true);
        await using var second = await StartAsync(group, logs);
        await SubscribeAsync(second, topic, log, static (_, _) => false, Backoff.Fixed(TimeSpan.FromSeconds(1)), attempts: 1_000);
        await Waiting.Until(() => log.Count == 10, "all that waited are handled");

        log.All.Should().Equal(Enumerable.Range(0, 10).Select(static n => $"{n}"));
        logs.Count(Refused).Should().Be(1);
        second.Groups.Single().Metrics.RefusedRecords.Should().Be(1);
    }

    [SkippableTheory]
    [Trait("Promise", "S26")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_a_reset_by_another_tool_all_messages_are_handled_again(bool whileSomeWait)
    {
        Skip.If(broker is EmbeddedTestBroker, "the embedded broker takes commits of a group's members only, so no tool can reset its offsets");
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var log = new HandledLog();
        using var logs = new LogEvents();
        bool Fails(string message, MessageContext context) => message == "3" && (context.Retry == 0 || (whileSomeWait && logs.Count(NotOurs) == 0));
        await using (var first = await StartAsync(group))
        {
            await SubscribeAsync(first, topic, log, Fails, Backoff.Fixed(TimeSpan.FromSeconds(1)), attempts: 1_000);
            await broker.SendAsync(topic, 0, Enumerable.Range(0, 100).Select(static n => ((string?)$"k{n % 5}", $"{n}")));
            await broker.CommittedReaches(group, topic, 0, 100);
            await Waiting.Until(() => whileSomeWait ? log.Count == 80 : log.Count == 100, "all are handled or wait");
            if (!whileSomeWait)
            {
                await Waiting.Until(() => first.Groups.Single().Loop!.WaitingRetries == 0, "nothing waits");
            }
        }

        var handled = log.Count;
        await ResetAsync(group, topic);
        await using var second = await StartAsync(group, logs);
        await SubscribeAsync(second, topic, log, Fails);
        await Waiting.Until(() => log.All.Skip(handled).Distinct(StringComparer.Ordinal).Count() == 100, "all are handled again");

        logs.Count(NotOurs).Should().Be(1);
        second.Groups.Single().Metrics.SkipsAsHandled.Should().Be(0);
    }

    [SkippableFact]
    [Trait("Promise", "S23")]
    public async Task A_forged_record_that_is_never_due_holds_its_key_no_longer_than_the_policy()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var log = new HandledLog();
        await using var kafka = await StartAsync(group);
        await SubscribeAsync(kafka, topic, log, static (_, _) => false);
        await broker.SendAsync(topic, 0, [("k", "0")]);
        await Waiting.Until(() => log.Count == 1, "the first is handled");

        await ForgeAsync(topic, group, offset: 0, due: true, ("narad-due", "9000000000000000"));
        await Waiting.Until(() => kafka.Groups.Single().Loop!.WaitingRetries == 1 || log.Count == 2, "the forged one is read");
        await broker.SendAsync(topic, 0, [("k", "1")]);
        await Waiting.Until(() => log.Of("k").Contains("1", StringComparer.Ordinal), "the key continues", TimeSpan.FromSeconds(60));

        log.All.Should().Equal("0", "forged", "1");
    }

    // As Kafka's tools do: without metadata.
    private async Task ResetAsync(string group, string topic)
    {
        using var tool = new ConsumerBuilder<byte[], byte[]>(
            new ConsumerConfig { BootstrapServers = broker.Brokers, GroupId = group, EnableAutoCommit = false, EnableAutoOffsetStore = false })
                .SetLogHandler((_, _) => { }).Build();
        tool.Subscribe(topic);
        await Waiting.Until(
            () =>
            {
                tool.Consume(TimeSpan.FromMilliseconds(50));
                return tool.Assignment.Count > 0;
            },
            "it may commit",
            TimeSpan.FromSeconds(60));
        tool.Commit([new TopicPartitionOffset(topic, 0, 0)]);
        tool.Close();
    }

    private Task ForgeAsync(string topic, string group, long offset, bool due, params (string Name, string Value)[] claims)
    {
        var headers = new Headers();
        void Add(string name, string value) => headers.Add(name, Encoding.UTF8.GetBytes(value));
        Add("narad-topic", topic);
        Add("narad-partition", "0");
        Add("narad-offset", offset.ToString(CultureInfo.InvariantCulture));
        Add("narad-timestamp", "9000000000000");
        Add("narad-group", group);
        if (due)
        {
            Add("retry", "1");
            Add("narad-due", "0");
        }

        foreach (var (name, value) in claims)
        {
            Add(name, value);
        }

        return broker.SendRawAsync($"{topic}-retry", 0,
            new Message<byte[]?, byte[]?> { Key = "k"u8.ToArray(), Value = due ? "forged"u8.ToArray() : null, Headers = headers });
    }
}
