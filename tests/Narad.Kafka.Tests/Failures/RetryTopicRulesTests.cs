using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Failures;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Failures;

/// <summary>Retry topics whose settings are changed while messages wait there, and what is said of messages that were lost.</summary>
public sealed class RetryTopicRulesTests
{
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    [Fact]
    public void A_retention_below_the_longest_delay_is_critical_once_and_degrades_until_it_is_long_enough_again()
    {
        using var log = new LogEvents();
        var logger = log.CreateLogger("topics");
        var causes = new StallCauses(TimeProvider.System);

        RetryTopicRules.Check(Topic(retention: TimeSpan.FromHours(2)), Longest, causes, logger);
        causes.Now.Should().BeEmpty();
        RetryTopicRules.Check(Topic(retention: TimeSpan.FromMinutes(1)), Longest, causes, logger);
        RetryTopicRules.Check(Topic(retention: TimeSpan.FromMinutes(1)), Longest, causes, logger);

        var critical = log.The(6014);
        critical.Level.Should().Be(LogLevel.Critical);
        critical.Message.Should().Contain("'orders-retry'").And.Contain("60 s (retention.ms)").And.Contain("1 h").And.Contain("SetRetentionAsync");
        var stall = causes.Now.Should().ContainSingle().Subject.Stall;
        stall.NeverUnhealthy.Should().BeTrue();
        stall.Text.Should().Contain("retention.ms");

        RetryTopicRules.Check(Topic(retention: null), Longest, causes, logger);
        RetryTopicRules.Check(Topic(retention: null), Longest, causes, logger);
        causes.Now.Should().BeEmpty();
        log.Count(6015).Should().Be(1);
        log.Count(6014).Should().Be(1);
    }

    [Fact]
    public void A_retry_topic_that_is_compacted_meanwhile_is_named()
    {
        using var log = new LogEvents();
        var causes = new StallCauses(TimeProvider.System);

        RetryTopicRules.Check(Topic(retention: null, TopicCleanupPolicy.Compact), Longest, causes, log.CreateLogger("topics"));

        log.The(6014).Message.Should().Contain("cleanup.policy");
    }

    [Fact]
    public void Messages_that_were_lost_while_they_waited_are_said_together()
    {
        using var log = new LogEvents();
        var time = new ManualTime();
        time.Advance(TimeSpan.FromSeconds(1));
        var lost = new LostRetries("billing-retry", time, log.CreateLogger("retries"));

        for (var offset = 0; offset < 270; offset++)
        {
            lost.Add(new TopicPartitionId("orders-retry", offset % 3), offset);
            lost.Log();
        }

        log.All.Should().BeEmpty("they are found one after the other");
        time.Advance(TimeSpan.FromSeconds(2));
        lost.Log();
        lost.Log();

        var line = log.The(3071);
        line.Level.Should().Be(LogLevel.Critical);
        line.Message.Should().Contain("270 message(s)").And.Contain("'orders-retry'").And.Contain("orders-retry[0] offset 0").And.Contain("retention.ms");
    }

    [Fact]
    public void Settings_of_a_dead_letter_topic_are_said_when_they_are_found_and_as_often_as_they_change()
    {
        using var log = new LogEvents();
        var settings = new FailureTopicSettings(log.CreateLogger("topics"));
        var forEver = Topic(retention: null) with { Name = "orders-dlt", MaxMessageBytes = 1_000 };
        int[] Said(TopicDetails found)
        {
            var before = log.All.Count;
            settings.CheckDeadLetters(found, "orders");
            settings.CheckSize(found, 1_000, "orders");
            return [.. log.All.Skip(before).Select(static logged => logged.Id)];
        }

        Said(forEver).Should().BeEmpty();
        Said(forEver with { Retention = TimeSpan.FromHours(1) }).Should().Equal(6010);
        Said(forEver with { Retention = TimeSpan.FromHours(1) }).Should().BeEmpty();
        Said(forEver with { Retention = TimeSpan.FromMinutes(1) }).Should().Equal(6010);
        log.All[^1].Message.Should().Contain("'orders-dlt'").And.Contain("60 s").And.Contain("SetRetentionAsync");
        Said(forEver with { CleanupPolicy = TopicCleanupPolicy.Compact }).Should().Equal(6011);
        Said(forEver).Should().Equal(6016);
        Said(forEver with { MaxMessageBytes = 999 }).Should().Equal(6012);
        Said(forEver with { MaxMessageBytes = 999 }).Should().BeEmpty();
        Said(forEver).Should().BeEmpty();
        Said(forEver with { MaxMessageBytes = 999 }).Should().Equal(6012);
    }

    private static TopicDetails Topic(TimeSpan? retention, TopicCleanupPolicy policy = TopicCleanupPolicy.Delete) =>
        new() { Name = "orders-retry", Partitions = 1, ReplicationFactor = 1, Retention = retention, CleanupPolicy = policy };
}
