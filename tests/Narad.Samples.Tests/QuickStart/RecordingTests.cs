using System.Diagnostics;
using global::QuickStart.Verification.Recording;
using Narad.Kafka;

namespace Narad.Samples.Tests.QuickStart;

public sealed class RecordingTests
{
    private static readonly HashSet<int> Ours = [0];
    private static readonly HashSet<int> Nothing = [];

    private readonly Recorder _recorder = new("run-1");

    [Fact]
    public void A_line_after_a_later_one_of_its_key_is_out_of_order()
    {
        Handle("a", 1, 5, 3);
        Handle("b", 4);

        Read().OutOfOrder.Should().Be(1);
    }

    [Fact]
    public void A_line_that_comes_again_after_later_ones_is_a_duplicate_and_not_out_of_order()
    {
        Handle("a", 1, 2, 3, 2, 3, 4);

        Read().Should().BeEquivalentTo(new { Handled = 4, Duplicates = 2, OutOfOrder = 0 });
    }

    [Fact]
    public void Lines_without_a_key_are_left_out_of_the_order()
    {
        Handle(MessageKey.None, 3, 2, 1);
        Handle("", 2, 1);

        Read().OutOfOrder.Should().Be(0, "line 2 and 1 came again");
        Handle("", 9, 8);
        Read().OutOfOrder.Should().Be(1, "an empty key is a key");
    }

    [Fact]
    public void Messages_of_others_are_foreign_and_change_nothing_else()
    {
        _recorder.Handled("a", new RunStamp("run-2", 1, 0), 0);
        _recorder.Handled("a", new RunStamp(null, null, 0), 0);
        Handle("a", 1);

        Read().Should().BeEquivalentTo(new { Foreign = 2, Handled = 1, OutOfOrder = 0, Duplicates = 0 });
    }

    [Fact]
    public void What_is_acknowledged_and_neither_handled_nor_committed_past_would_be_lost()
    {
        _recorder.Cover(Ours, Offsets(0));
        Acknowledge(1, 2, 3);
        Handle("a", 1);

        _recorder.Cover(Ours, Offsets(0)).Should().Be(new Coverage(Waiting: 3, Suspects: 0));
        Read().Lost.Should().Be(2);
    }

    [Fact]
    public void What_only_this_process_can_have_handled_and_did_not_is_lost_although_committed_past()
    {
        _recorder.Cover(Ours, Offsets(0));
        Acknowledge(1, 2, 3);
        Handle("a", 1, 3);

        _recorder.Cover(Ours, Offsets(3)).Should().Be(new Coverage(Waiting: 0, Suspects: 1));
        Read().Lost.Should().Be(1);
    }

    [Fact]
    public void What_another_member_may_have_handled_is_covered_by_its_commit()
    {
        _recorder.Cover(Ours, Offsets(0));
        Acknowledge(1, 2, 3);
        Handle("a", 1);
        _recorder.Cover(Nothing, Offsets(1));

        _recorder.Cover(Ours, Offsets(3)).Should().Be(new Coverage(Waiting: 0, Suspects: 0));
        Read().Lost.Should().Be(0);
    }

    [Fact]
    public void What_was_handled_beyond_what_the_group_committed_comes_again()
    {
        foreach (var offset in new long[] { 0, 1, 3, 4, 4 })
        {
            _recorder.Handled(partition: 0, offset);
        }

        _recorder.Handled(partition: 1, 0);
        _recorder.Cover(Ours, Offsets(1));

        _recorder.CountUncommitted(Offsets(2)).Should().Be(3, "3 and 4 of one partition, 0 of the other");
        _recorder.CountUncommitted(Offsets(5)).Should().Be(1);
    }

    [Fact]
    public void Percentiles_are_exact_below_128_microseconds_and_within_a_sixtieth_above()
    {
        var latencies = new Latencies();
        latencies.Percentile(0.5).Should().BeNull();
        for (var value = 1; value <= 100; value++)
        {
            latencies.Add(TimeSpan.FromMicroseconds(value));
        }

        latencies.Percentile(0.50).Should().Be(TimeSpan.FromMicroseconds(50));
        latencies.Percentile(0.99).Should().Be(TimeSpan.FromMicroseconds(99));
        foreach (var value in new long[] { 129, 1_000, 65_535, 1_234_567, 86_400_000_000, long.MaxValue / 100 })
        {
            var alone = new Latencies();
            alone.Add(TimeSpan.FromMicroseconds(value));
            var read = alone.Percentile(0.99)!.Value.TotalMicroseconds;
            read.Should().BeInRange(value, value * 1.017, "of {0}", value);
        }
    }

    [Fact]
    public void Latency_is_from_the_stamp_to_the_handlers_entry()
    {
        var entered = Stopwatch.GetTimestamp();
        _recorder.Handled("a", new RunStamp("run-1", 1, entered - (Stopwatch.Frequency / 2)), entered);

        Read().P50!.Value.TotalMilliseconds.Should().BeInRange(500, 510);
    }

    [Fact]
    public void A_stamp_survives_the_headers_and_strange_headers_are_no_stamp()
    {
        RunStamp.Read(RunStamp.Write("run-1"u8.ToArray(), 17, 99)).Should().Be(new RunStamp("run-1", 17, 99));
        RunStamp.Read([]).Should().Be(new RunStamp(null, null, 0));
        foreach (var line in new[] { "", "x", "-1", "0", "1x", "99999999999999999999" })
        {
            RunStamp.Read(new MessageHeaders().Add("line", line)).Line.Should().BeNull();
        }
    }

    private static Dictionary<int, long> Offsets(long committed) => new() { [0] = committed };

    private Snapshot Read() => _recorder.Read(KafkaMode.Embedded);

    private void Acknowledge(params long[] lines)
    {
        foreach (var line in lines)
        {
            _recorder.Sending();
            _recorder.Acknowledged(line, new SendResult("t", 0, line - 1));
        }
    }

    private void Handle(MessageKey key, params long[] lines)
    {
        foreach (var line in lines)
        {
            _recorder.Handled(key, new RunStamp("run-1", line, 0), 0);
        }
    }
}
