using System.Diagnostics;
using Confluent.Kafka.Admin;
using Narad.Kafka.Shared;
using Xunit.Abstractions;

namespace Narad.Kafka.Tests.Connecting;

/// <summary>A user who is known and lacks a right connects, and is refused at the send or subscribe that needs it, with the right by name.</summary>
public sealed class MissingRightTests(ITestOutputHelper output)
{
    private static readonly Dictionary<string, Func<AccessLists, string, string, Task>> Cases = new(StringComparer.Ordinal)
    {
        ["sending without any right on the topic"] = (lists, topic, _) => lists.CloseAsync(ResourceType.Topic, topic),
        ["sending with the right to read only"] = (lists, topic, _) => lists.GrantAsync(ResourceType.Topic, topic, AclOperation.Read),
        ["subscribing without any right on the topic"] = (lists, topic, _) => lists.CloseAsync(ResourceType.Topic, topic),
        ["subscribing with the right to write only"] = (lists, topic, _) => lists.GrantAsync(ResourceType.Topic, topic, AclOperation.Write),
        ["subscribing without a right on the group"] = (lists, _, group) => lists.CloseAsync(ResourceType.Group, group),
    };

    public static TheoryData<string, string, string> Rows()
    {
        var rows = new TheoryData<string, string, string>();
        foreach (var row in TroubleshootingPage.Table("missing-rights"))
        {
            rows.Add(row[0], row[1], row[2]);
        }

        return rows;
    }

    [Fact]
    public void The_pages_rows_are_what_is_tested() => TroubleshootingPage.Table("missing-rights").Select(row => row[0]).Should().BeEquivalentTo(Cases.Keys);

    [SkippableTheory]
    [MemberData(nameof(Rows))]
    [Trait("Promise", "S31")]
    public async Task A_missing_right_fails_what_needs_it_at_once_and_is_named(string setUp, string exception, string words)
    {
        await using var lists = new AccessLists();
        var topic = await RealKafka.CreateTopicAsync();
        var group = RealKafka.NewName("group");
        await Cases[setUp](lists, topic, group);
        await using var kafka = new KafkaService(AccessLists.Options);
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync(group);

        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        Func<Task> act = setUp.StartsWith("sending", StringComparison.Ordinal)
            ? () => kafka.SendAsync(topic, "x").AsTask()
            : () => kafka.SubscribeAsync<string>(topic, (_, _, _) => Task.CompletedTask);
        var failure = (await act.Should().ThrowAsync<NaradKafkaException>()).Which;
        output.WriteLine($"{watch.ElapsedMilliseconds} ms: {failure.GetType().Name}: {failure.Message}");

        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(10) + stalls.Allowance);
        failure.GetType().Name.Should().Be(exception);
        failure.Message.Should().Contain(words.Replace("TOPIC", topic, StringComparison.Ordinal).Replace("GROUP", group, StringComparison.Ordinal))
            .And.Contain("Kafka:Sasl:Username (KAFKA_SASL_USERNAME)").And.NotContain("denied-secret");
    }
}
