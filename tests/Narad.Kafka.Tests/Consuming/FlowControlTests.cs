using Confluent.Kafka;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Tests.Consuming;

public class FlowControlTests
{
    [Fact]
    [Trait("Promise", "S13")]
    public void Partitions_that_come_later_do_not_lift_the_group_over_its_limit()
    {
        var flow = new FlowControl(messages: 1_000, bytes: long.MaxValue, maxAhead: int.MaxValue);
        var partitions = new List<AssignedPartition>();
        for (var assigned = 1; assigned <= 8; assigned++)
        {
            partitions.Add(NewPartition(assigned));
            foreach (var partition in partitions)
            {
                Fill(flow, partition, assigned, 300);
            }
        }

        flow.BufferedMessages.Should().BeLessThanOrEqualTo(1_000);
        partitions.Should().OnlyContain(partition => partition.BufferedMessages > 0, "none starves for the others");
    }

    [Fact]
    [Trait("Promise", "S13")]
    public void Bytes_are_limited_for_the_group_where_a_share_is_smaller_than_a_message()
    {
        var flow = new FlowControl(messages: 10_000, bytes: 100_000, maxAhead: int.MaxValue);
        var partitions = Enumerable.Range(0, 64).Select(NewPartition).ToList();
        foreach (var partition in partitions)
        {
            Fill(flow, partition, partitions.Count, 10_000);
        }

        flow.BufferedBytes.Should().BeLessThanOrEqualTo(100_000).And.BeGreaterThan(50_000);
    }

    [Fact]
    [Trait("Promise", "S9")]
    public void A_partition_that_holds_nothing_is_never_full_by_itself()
    {
        var flow = new FlowControl(messages: 10, bytes: 1_000, maxAhead: 1);
        var (first, second) = (NewPartition(0), NewPartition(1));
        flow.Add(first, 5_000);   // larger than the share, than the limit
        flow.IsFull(first, 2).Should().BeTrue();
        flow.Remove(first, 5_000);
        flow.IsFull(first, 2).Should().BeFalse();
        flow.IsFull(second, 2).Should().BeFalse();
        flow.MayGroupResume.Should().BeTrue();
        flow.MayResume(second, 2).Should().BeTrue();
    }

    [Fact]
    [Trait("Promise", "S13")]
    public void Where_there_are_more_partitions_than_messages_allowed_the_group_is_full_all_the_same()
    {
        var flow = new FlowControl(messages: 10, bytes: long.MaxValue, maxAhead: int.MaxValue);
        for (var number = 0; number < 64; number++)
        {
            Fill(flow, NewPartition(number), 64, 300);
        }

        flow.BufferedMessages.Should().Be(10);
    }

    [Theory]
    [InlineData(0, 250)]        // without work a quarter is kept
    [InlineData(1_500, 500)]    // a third of a second of work
    [InlineData(90_000, 750)]
    [Trait("Promise", "S9")]
    [Trait("Trap", "pause-refetches")]
    public void A_paused_partition_goes_on_at_the_low_mark_and_not_before(double rate, int low)
    {
        var flow = new FlowControl(messages: 1_000, bytes: long.MaxValue, maxAhead: int.MaxValue);
        var partition = NewPartition(0);
        partition.Rate = rate;
        for (var n = 0; n < 900; n++)
        {
            flow.Add(partition, 300);
        }

        for (; partition.BufferedMessages > low; flow.Remove(partition, 300))
        {
            flow.MayResume(partition, 1).Should().BeFalse($"it holds {partition.BufferedMessages}");
        }

        flow.MayResume(partition, 1).Should().BeTrue();
    }

    [Fact]
    [Trait("Promise", "S9")]
    public void A_full_partition_is_waited_for_a_millisecond_for_each_hundred_messages_that_it_finished()
    {
        var flow = new FlowControl(messages: 1_000, bytes: long.MaxValue, maxAhead: int.MaxValue);
        var partition = NewPartition(0);
        Fill(flow, partition, 1, 300);
        Waits(flow, partition).Should().BeLessThanOrEqualTo(20, "a hung handler must not keep the group from being polled");
        flow.MayWait(partition).Should().BeFalse();

        Finish(flow, partition, 99);
        flow.MayWait(partition).Should().BeFalse();
        Finish(flow, partition, 1);
        flow.MayWait(partition).Should().BeTrue();
        flow.MayWait(partition).Should().BeFalse();

        for (var round = 0; round < 100; round++)
        {
            Finish(flow, partition, 500);
            Fill(flow, partition, 1, 300);
        }

        Waits(flow, partition).Should().Be(20, "what was earned long ago does not count");
    }

    [Fact]
    [Trait("Promise", "S9")]
    public void A_full_partition_has_room_when_an_eighth_of_its_share_is_free_and_no_message_would_be_too_large_for_it()
    {
        var flow = new FlowControl(messages: 1_000, bytes: 1_000_000, maxAhead: int.MaxValue);
        var partition = NewPartition(0);
        Fill(flow, partition, 4, 300);
        Finish(flow, partition, 31);
        flow.HasRoom(partition, 4).Should().BeFalse();
        Finish(flow, partition, 4);
        flow.HasRoom(partition, 4).Should().BeTrue();

        flow.Add(partition, 120_000);
        flow.HasRoom(partition, 4).Should().BeFalse("another one of that size would be more than its share");
        flow.Remove(partition, 120_000);
        Finish(flow, partition, partition.BufferedMessages);
        flow.HasRoom(partition, 4).Should().BeTrue("it holds nothing");
    }

    [Fact]
    [Trait("Promise", "S9")]
    public void A_partition_that_ran_too_far_ahead_of_a_stuck_message_is_not_waited_for()
    {
        var flow = new FlowControl(messages: 1_000, bytes: long.MaxValue, maxAhead: 2);
        var partition = NewPartition(0);
        partition.Tracker.Add(0);
        flow.MayWait(partition).Should().BeTrue();
        partition.Tracker.Add(1);
        flow.MayWait(partition).Should().BeFalse();
        flow.HasRoom(partition, 1).Should().BeFalse();
    }

    [Fact]
    [Trait("Promise", "S9")]
    public void Of_many_partitions_each_may_have_a_twentieth_while_half_is_free_and_then_its_equal_share()
    {
        var flow = new FlowControl(messages: 10_000, bytes: long.MaxValue, maxAhead: int.MaxValue);
        var partitions = Enumerable.Range(0, 100).Select(NewPartition).ToList();
        foreach (var partition in partitions)
        {
            Fill(flow, partition, partitions.Count, 300);
        }

        partitions[0].BufferedMessages.Should().Be(500);
        partitions[30].BufferedMessages.Should().Be(100);
        flow.BufferedMessages.Should().BeLessThanOrEqualTo(10_000);
        partitions.Should().OnlyContain(partition => partition.BufferedMessages >= 10, "none starves for the others");
    }

    private static int Waits(FlowControl flow, AssignedPartition partition)
    {
        var waits = 0;
        while (waits < 1_000 && flow.MayWait(partition))
        {
            waits++;
        }

        return waits;
    }

    private static void Finish(FlowControl flow, AssignedPartition partition, int messages)
    {
        for (var n = 0; n < messages; n++)
        {
            flow.Remove(partition, 300);
        }
    }

    private static void Fill(FlowControl flow, AssignedPartition partition, int assigned, int size)
    {
        while (!flow.IsFull(partition, assigned))
        {
            flow.Add(partition, size);
        }
    }

    private static AssignedPartition NewPartition(int number) => new(new TopicPartition("t", number), null!);
}
