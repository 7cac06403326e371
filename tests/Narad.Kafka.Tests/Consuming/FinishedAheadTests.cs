using Narad.Kafka.Consuming;
using Narad.Kafka.KeyOrder;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>The text in a committed offset's metadata that names what is finished ahead of it.</summary>
public sealed class FinishedAheadTests
{
    private const string Id = "00000000000000010000000000000002";

    [Fact]
    [Trait("Promise", "S34")]
    public void What_a_tracker_finished_ahead_is_read_again_exactly_as_it_was()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var (tracker, offset, numbers) = (new OffsetTracker(), (long)random.Next(1_000_000), new List<(long Offset, long Sequence)>());
            for (var i = random.Next(1, 3_000); i > 0; i--)
            {
                numbers.Add((offset, tracker.Add(offset, leaderEpoch: 7)));
                offset += random.Next(20) == 0 ? random.Next(1, 100_000) : 1;
            }

            var likely = random.NextDouble();
            var finished = numbers.Skip(1).Where(_ => random.NextDouble() < likely).ToList();
            finished.ForEach(one => tracker.Finish(one.Sequence));
            tracker.FinishedAhead.Should().Be(finished.Count);
            var read = FinishedAhead.Read(TextOf(tracker, numbers[0].Offset, null), numbers[0].Offset, Id, out var why);

            why.Should().BeNull();
            numbers.Where(one => read?.Contains(one.Offset, 7) is true).Should().Equal(finished, "seed {0}", seed);
        }
    }

    [Fact]
    [Trait("Promise", "S34")]
    public void What_was_not_read_yet_is_recorded_again_also_where_the_offset_moved_up_to_it()
    {
        var tracker = new OffsetTracker();
        List<long> numbers = [.. Enumerable.Range(100, 20).Select(offset => tracker.Add(offset))];
        numbers[5..].ForEach(number => tracker.Finish(number));
        var first = FinishedAhead.Read(TextOf(tracker, 100, null), 100, Id, out _)!;

        // The next owner reads up to 107, where 102 is unfinished, then the one behind it is at 105 with nothing in memory.
        var next = new OffsetTracker();
        for (var offset = 100; offset < 108; offset++)
        {
            var number = next.Add(offset);
            if (offset != 102 && (offset < 105 || first.Contains(offset, -1)))
            {
                next.Finish(number);
            }
        }

        var second = FinishedAhead.Read(TextOf(next, next.Committable!.Value, first), 102, Id, out _)!;
        Enumerable.Range(102, 30).Where(offset => second.Contains(offset, -1)).Should().Equal([103, .. Enumerable.Range(104, 16)]);

        var last = FinishedAhead.Read(TextOf(new OffsetTracker(), 105, first), 105, Id, out _)!;
        Enumerable.Range(105, 30).Where(offset => last.Contains(offset, -1)).Should().Equal(Enumerable.Range(105, 15));
    }

    [Fact]
    [Trait("Promise", "S34")]
    public void It_is_never_longer_than_the_limit_and_names_what_comes_first()
    {
        var tracker = new OffsetTracker();
        var numbers = Enumerable.Range(0, 100_000).Select(offset => (Offset: offset, Sequence: tracker.Add(offset))).ToList();
        numbers.Where(static one => one.Offset % 2 == 1).ToList().ForEach(one => tracker.Finish(one.Sequence));
        var text = TextOf(tracker, 0, null, out var written)!;
        var read = FinishedAhead.Read(text, 0, Id, out _)!;

        text.Length.Should().BeInRange(FinishedAhead.MaxLength - 60, FinishedAhead.MaxLength);
        written.Should().BeInRange(10_000, 50_000);
        numbers.Where(one => read.Contains(one.Offset, -1)).Select(static one => one.Offset).Should()
            .Equal(Enumerable.Range(0, written).Select(static n => (2 * n) + 1));
    }

    [Fact]
    [Trait("Promise", "S34")]
    public void A_backlog_of_ten_thousand_messages_fits_whatever_is_finished_of_it()
    {
        foreach (var pattern in (Func<int, bool>[])[n => n % 2 == 1, n => n % 4 > 1, n => n % 10 > 0, n => new Random(n).Next(2) == 0, n => n > 0])
        {
            var tracker = new OffsetTracker();
            var numbers = Enumerable.Range(0, 10_000).Select(offset => tracker.Add(offset)).ToList();
            for (var n = 1; n < numbers.Count; n++)
            {
                if (pattern(n))
                {
                    tracker.Finish(numbers[n]);
                }
            }

            TextOf(tracker, 0, null, out var written);
            written.Should().Be(tracker.FinishedAhead);
        }
    }

    [Theory]
    [Trait("Promise", "S34")]
    [InlineData("somebody's own text", "*another client*")]
    [InlineData("narad2;5;;" + Id + ";0;wA==", "*another client*")]
    [InlineData("narad1;6;;" + Id + ";0;wA==", "*another offset*")]
    [InlineData("narad1;5;;" + Id, "*cannot be read*")]
    [InlineData("narad1;5;;" + Id + ";zero;wA==", "*cannot be read*")]
    [InlineData("narad1;5;;" + Id + ";0;not base 64", "*cannot be read*")]
    [InlineData("narad1;5;;" + Id + ";0;AAAAAAAAAAAAAAAAAAAAAAAA", "*cannot be read*")]
    [InlineData("narad1;5;;" + Id + ";0;AAAAAAAAAAD//////////w==", "*cannot be read*")]
    [InlineData("narad1;5;;another;0;wA==", "*same name*")]
    public void What_cannot_be_believed_is_ignored_with_the_reason(string metadata, string expected)
    {
        FinishedAhead.Read(metadata, 5, Id, out var why).Should().BeNull();
        why.Should().Match(expected);
    }

    [Theory]
    [Trait("Promise", "S34")]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("narad1;5;AAAAAAAAAAAAAAAAAAAAAA==")]
    [InlineData("narad1;6;AAAAAAAAAAAAAAAAAAAAAA==")]
    public void No_metadata_and_a_seal_alone_are_nothing_to_ignore(string? metadata)
    {
        FinishedAhead.Read(metadata, 5, Id, out var why).Should().BeNull();
        why.Should().BeNull();
    }

    [Fact]
    [Trait("Promise", "S34")]
    public void Any_text_is_read_without_an_exception_and_names_only_offsets_from_the_committed_one_on()
    {
        var random = new Random(34);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(64)];
            random.NextBytes(bytes);
            Array.Clear(bytes, 0, random.Next(bytes.Length + 1));
            var read = FinishedAhead.Read($"narad1;50;;{Id};0;{Convert.ToBase64String(bytes)}", 50, Id, out _);
            (read?.Count ?? 1).Should().BePositive();
            (read?.Contains(49, 0) ?? false).Should().BeFalse();
        }
    }

    [Fact]
    [Trait("Promise", "S34")]
    public void A_message_of_a_later_leader_epoch_is_another_message()
    {
        var tracker = new OffsetTracker();
        _ = tracker.Add(5, leaderEpoch: 3);
        tracker.Finish(tracker.Add(6, leaderEpoch: 3));
        var text = TextOf(tracker, 5, null);

        FinishedAhead.Read(text, 5, Id, out _)!.Contains(6, 3).Should().BeTrue();
        FinishedAhead.Read(text, 5, Id, out _)!.Contains(6, 2).Should().BeTrue();
        FinishedAhead.Read(text, 5, Id, out _)!.Contains(6, 4).Should().BeFalse("the log was cut off and written on");
        FinishedAhead.Read(text, 5, Id, out _)!.Contains(6, -1).Should().BeFalse("nobody knows");
    }

    [Fact]
    [Trait("Promise", "S34")]
    public void It_stands_behind_a_seal_that_is_still_found()
    {
        var seal = RetrySeal.New();
        var tracker = new OffsetTracker();
        _ = tracker.Add(5);
        tracker.Finish(tracker.Add(6));
        var text = TextOf(tracker, 5, null, out _, seal.MetadataFor(5))!;

        RetrySeal.Of(text, 5)!.MetadataFor(5).Should().Be(seal.MetadataFor(5));
        FinishedAhead.Read(text, 5, Id, out _)!.Contains(6, -1).Should().BeTrue();
        RetrySeal.Of(TextOf(tracker, 5, null), 5).Should().BeNull("there is none");
    }

    private static string? TextOf(OffsetTracker tracker, long offset, FinishedAhead? rest) => TextOf(tracker, offset, rest, out _);

    private static string? TextOf(OffsetTracker tracker, long offset, FinishedAhead? rest, out int written, string? seal = null)
    {
        var head = seal ?? FinishedAhead.HeadFor(offset);
        var writer = new FinishedAhead.Writer(offset, new byte[FinishedAhead.RoomBehind(head, Id)]);
        tracker.AddFinishedAhead(ref writer);
        rest?.AddTo(ref writer, Math.Max(offset, tracker.Next ?? 0));
        writer.Complete();
        written = writer.Written;
        return writer.Text(head, Id, Math.Max(tracker.LeaderEpoch, rest?.Epoch ?? -1));
    }
}
