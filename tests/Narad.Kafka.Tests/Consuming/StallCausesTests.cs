using Confluent.Kafka;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>How long a cause stands that keeps a group from consuming, and what the group's refusals say.</summary>
public sealed class StallCausesTests
{
    [Fact]
    public void A_cause_lasts_since_its_first_report_until_it_is_removed()
    {
        var time = new ManualTime();
        time.Advance(TimeSpan.FromSeconds(1));
        var causes = new StallCauses(time);

        causes.Add("a", "first").Should().BeTrue();
        time.Advance(TimeSpan.FromSeconds(30));
        causes.Add("a", "first").Should().BeFalse();
        time.Advance(TimeSpan.FromHours(1));

        causes.Now.Should().ContainSingle().Which.Stall.Should().Be(new Stall("first", TimeSpan.FromHours(1) + TimeSpan.FromSeconds(30)));
        causes.Remove("a").Should().BeTrue();
        causes.Now.Should().BeEmpty();
    }

    [Fact]
    public void A_cause_that_its_reporter_repeats_is_over_when_that_ends()
    {
        var time = new ManualTime();
        time.Advance(TimeSpan.FromSeconds(1));
        var causes = new StallCauses(time);

        causes.Add("a", "first", repeatedWithin: TimeSpan.FromSeconds(60));
        time.Advance(TimeSpan.FromSeconds(50));
        causes.Add("a", "first", repeatedWithin: TimeSpan.FromSeconds(60));
        time.Advance(TimeSpan.FromSeconds(50));
        causes.Now.Should().ContainSingle().Which.Stall.Lasted.Should().Be(TimeSpan.FromSeconds(100));
        time.Advance(TimeSpan.FromSeconds(11));
        causes.Now.Should().BeEmpty();

        causes.Add("a", "first", repeatedWithin: TimeSpan.FromSeconds(60)).Should().BeTrue();
        causes.Now.Should().ContainSingle().Which.Stall.Lasted.Should().Be(TimeSpan.Zero, "it began anew");
    }

    [Theory]
    [InlineData(ErrorCode.InconsistentGroupProtocol, "partition.assignment.strategy", "Kafka:Assignor = CooperativeSticky")]
    [InlineData(ErrorCode.InvalidSessionTimeout, "group.min.session.timeout.ms", "Kafka:SessionTimeout = 00:00:45")]
    [InlineData(ErrorCode.GroupMaxSizeReached, "group.max.size", "Stop a member")]
    [InlineData(ErrorCode.UnsupportedVersion, "Kafka:GroupProtocol", "Classic")]
    [InlineData(ErrorCode.UnsupportedAssignor, "group.consumer.assignors", "Kafka:Assignor")]
    [InlineData(ErrorCode.UnreleasedInstanceId, "Kafka:GroupInstanceId", "Give each process its own")]
    [InlineData(ErrorCode.InvalidGroupId, "name", "Choose another one")]
    public void What_keeps_a_member_out_of_its_group_is_said_with_the_setting(ErrorCode code, string setting, string remedy)
    {
        GroupRefusals.Concern(code).Should().BeTrue();
        GroupRefusals.Explain(new Error(code, "the client's words"), "billing", new KafkaOptions())
            .Should().Contain("'billing'").And.Contain(setting).And.Contain(remedy).And.Contain("the client's words");
    }
}
