using FsCheck;
using FsCheck.Fluent;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Tests.Consuming;

public class OffsetTrackerTests
{
    [Fact]
    [Trait("Promise", "S7")]
    [Trait("Promise", "S15")]
    public void Control_records_are_stepped_over_once_all_messages_before_them_are_finished()
    {
        var tracker = new OffsetTracker();
        var first = tracker.Add(3, leaderEpoch: 5);
        var second = tracker.Add(4, leaderEpoch: 6);
        tracker.Reach(7);
        tracker.Committable.Should().BeNull("nothing is finished");
        tracker.Next.Should().Be(7);
        tracker.Finish(first);
        (tracker.Committable, tracker.EpochAt(4)).Should().Be((4, 6));
        tracker.Finish(second);
        (tracker.Committable, tracker.EpochAt(7)).Should().Be((7, null), "which leader wrote the control records is not known");

        tracker.Reach(9);
        tracker.Committable.Should().Be(9);
        tracker.Reach(8);
        tracker.Committable.Should().Be(9, "an end that was reached before says nothing");
        tracker.Finish(tracker.Add(9, leaderEpoch: 6));
        (tracker.Committable, tracker.EpochAt(10), tracker.Incarnation).Should().Be((10, 6, 0));
    }

    [Fact]
    [Trait("Promise", "S15")]
    public void Where_there_are_only_control_records_the_position_is_behind_them()
    {
        var tracker = new OffsetTracker();
        tracker.Reach(0);
        tracker.Committable.Should().BeNull("an empty partition is no position");
        tracker.Reach(2);
        tracker.Committable.Should().Be(2);
    }

    [Fact]
    [Trait("Promise", "S7")]
    public void Only_what_is_finished_without_a_gap_of_unfinished_ones_may_be_committed()
    {
        var tracker = new OffsetTracker();
        var first = tracker.Add(10);
        var second = tracker.Add(11);
        var third = tracker.Add(12);
        tracker.Committable.Should().BeNull();
        tracker.Finish(second);
        tracker.Committable.Should().BeNull();
        tracker.Finish(first);
        tracker.Committable.Should().Be(12);
        tracker.LowestUnfinished.Should().Be(12);
        tracker.Finish(third);
        tracker.Committable.Should().Be(13);
        tracker.LowestUnfinished.Should().BeNull();
        tracker.Span.Should().Be(0);
    }

    [Fact]
    [Trait("Promise", "S15")]
    public void Gaps_cost_nothing()
    {
        var tracker = new OffsetTracker(2);
        var arrivals = new[] { 5L, 1_000_000_000L, 4_000_000_000_000L }.Select(tracker.Add).ToList();
        tracker.Span.Should().Be(3);
        arrivals.ForEach(arrival => tracker.Finish(arrival));
        tracker.Committable.Should().Be(4_000_000_000_001L);
    }

    [Fact]
    [Trait("Promise", "S15")]
    public void An_offset_that_goes_back_begins_anew_and_older_completions_change_nothing()
    {
        var tracker = new OffsetTracker();
        var old = tracker.Add(100);
        var added = tracker.Add(0);
        tracker.Incarnation.Should().Be(1);
        tracker.Finish(old).Should().BeFalse();
        tracker.Committable.Should().BeNull();
        tracker.Finish(added).Should().BeTrue();
        tracker.Committable.Should().Be(1);
    }

    [Fact]
    [Trait("Promise", "S32")]
    public void A_decided_start_may_be_committed_before_anything_arrived()
    {
        var tracker = new OffsetTracker();
        tracker.Next.Should().BeNull();
        tracker.Begin(7);
        (tracker.Committable, tracker.Next, tracker.Span).Should().Be((7, 7, 0));
        tracker.Add(7);
        (tracker.Committable, tracker.Next, tracker.Incarnation).Should().Be((7, 8, 0));
    }

    [Fact]
    [Trait("Promise", "S7")]
    [Trait("Promise", "S15")]
    public void It_agrees_with_a_naive_oracle() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll<int>(seed => AgreesWithOracle(seed)));

    [Fact]
    [Trait("Promise", "S15")]
    public void Finishing_allocates_nothing()
    {
        var tracker = new OffsetTracker(1_024);
        Run(tracker, 1_000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run(tracker, 100_000);
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);

        static void Run(OffsetTracker tracker, int count)
        {
            for (var i = 0; i < count; i++)
            {
                tracker.Finish(tracker.Add(tracker.Next ?? 0));
            }
        }
    }

    // The oracle keeps every message of the incarnation in a list and looks through all of it.
    private static bool AgreesWithOracle(int seed)
    {
        var random = new Random(seed);
        var tracker = new OffsetTracker(2);
        var messages = new List<(long Sequence, long Offset, bool Done)>();
        var older = new List<long>();
        var offset = -1L;
        long? began = null;
        for (var step = 0; step < 400; step++)
        {
            switch (random.Next(20))
            {
                case 0:
                    older.AddRange(messages.Where(message => !message.Done).Select(message => message.Sequence));
                    messages.Clear();
                    began = null;
                    offset = offset < 0 ? 0 : random.NextInt64(offset + 1);
                    messages.Add((tracker.Add(offset), offset, false));
                    break;

                case 1 when older.Count > 0:
                    tracker.Finish(older[random.Next(older.Count)]);
                    break;

                case 2 when messages.Count == 0 && offset < 0:
                    began = random.Next(100);
                    offset = began.Value - 1;
                    tracker.Begin(began.Value);
                    break;

                case < 11:
                    offset += random.Next(4) == 0 ? random.Next(2, 50) : 1;
                    messages.Add((tracker.Add(offset), offset, false));
                    break;

                default:
                    if (messages.Count > 0)
                    {
                        var at = random.Next(messages.Count);
                        messages[at] = messages[at] with { Done = true };
                        tracker.Finish(messages[at].Sequence);
                    }

                    break;
            }

            var finished = messages.TakeWhile(message => message.Done).ToList();
            long? committable = finished.Count > 0 ? finished[^1].Offset + 1 : began;
            long? lowest = messages.Any(message => !message.Done) ? messages.First(message => !message.Done).Offset : null;
            if (tracker.Committable != committable || tracker.LowestUnfinished != lowest || tracker.Span != messages.Count - finished.Count)
            {
                return false;
            }
        }

        return true;
    }
}
