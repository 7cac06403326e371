using Narad.Kafka.Failures;

namespace Narad.Kafka.Tests.Failures;

/// <summary>How long retries wait while the wall clock is put forward and back.</summary>
[Trait("Promise", "S21")]
public sealed class RetryClockTests
{
    private readonly ManualTime _time = new();

    public RetryClockTests() => _time.Advance(TimeSpan.FromDays(1));

    [Fact]
    public void It_is_the_wall_clock_while_that_is_right()
    {
        var clock = new RetryClock(_time);
        for (var i = 0; i < 100; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(37.3));
            clock.Now.Should().Be(_time.GetUtcNow().ToUnixTimeMilliseconds());
        }
    }

    [Fact]
    public void Where_the_wall_clock_is_put_back_a_wait_takes_as_long_as_it_was_to_take()
    {
        var clock = new RetryClock(_time);
        var due = clock.Now + 10_000;
        _time.Advance(TimeSpan.FromSeconds(4));
        clock.Now.Should().Be(due - 6_000);
        _time.StepWallClock(TimeSpan.FromHours(-1));
        clock.Now.Should().Be(due - 6_000);
        _time.Advance(TimeSpan.FromSeconds(6));
        clock.Now.Should().Be(due);
    }

    [Fact]
    public void Where_the_wall_clock_is_put_forward_it_is_followed()
    {
        var clock = new RetryClock(_time);
        var before = clock.Now;
        _time.StepWallClock(TimeSpan.FromHours(1));
        clock.Now.Should().Be(before + 3_600_000);
        _time.StepWallClock(TimeSpan.FromHours(-1));
        _time.Advance(TimeSpan.FromSeconds(1));
        clock.Now.Should().Be(before + 3_601_000, "it never goes back");
    }

    [Fact]
    public void Where_the_wall_clock_is_put_back_by_little_it_waits_for_it_and_by_little_again_and_again_it_does_not()
    {
        var clock = new RetryClock(_time);
        var before = clock.Now;
        for (var i = 1; i <= 20; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(2));
            _time.StepWallClock(TimeSpan.FromMilliseconds(-900));
            clock.Now.Should().BeInRange(before + (2_000 * i) - 1_000, before + (2_000 * i));
        }
    }

    [Fact]
    public void A_time_of_a_wall_clock_that_was_put_back_is_as_far_away_as_that_clock_says()
    {
        var clock = new RetryClock(_time);
        _ = clock.Now;
        _time.StepWallClock(TimeSpan.FromHours(-1));
        var due = _time.GetUtcNow().ToUnixTimeMilliseconds() + 5_000;
        (clock.Of(due) - clock.Now).Should().Be(5_000);
        clock.WallOf(clock.Of(due)).Should().Be(due);
    }

    [Theory]
    [InlineData(0, 5)]          // both clocks are right
    [InlineData(3_600, 5)]      // written while the clock was ahead, and read when it is right
    [InlineData(-3, 2)]         // written three seconds ago
    [InlineData(-60, -55)]      // long due
    public void A_record_from_the_future_waits_as_long_as_it_was_to_wait_when_it_was_written(int written, int left)
    {
        var now = _time.GetUtcNow();
        var at = now.AddSeconds(written);
        var headers = FailureHeaders.For([], isRetryRecord: false, new FailureOrigin("t", 0, 0, 0, "g"), 1, at.AddSeconds(5), new TimeoutException(),
            FailureDetail.Stack);
        new RetrySource("t", "g", TimeSpan.FromDays(1), TimeSpan.FromDays(1), adoptsUngrouped: false)
            .DueOf(headers, at.ToUnixTimeMilliseconds(), isBrokerTime: false, now).Should().Be(now.AddSeconds(left).ToUnixTimeMilliseconds());
    }

    [Fact]
    public void A_broker_whose_clock_is_ahead_makes_no_retry_early()
    {
        var now = _time.GetUtcNow();
        var headers = FailureHeaders.For([], isRetryRecord: false, new FailureOrigin("t", 0, 0, 0, "g"), 1, now.AddSeconds(2), new TimeoutException(),
            FailureDetail.Stack);
        var source = new RetrySource("t", "g", TimeSpan.FromDays(1), TimeSpan.FromDays(1), adoptsUngrouped: false);

        source.DueOf(headers, now.AddSeconds(30).ToUnixTimeMilliseconds(), isBrokerTime: true, now).Should().Be(now.AddSeconds(2).ToUnixTimeMilliseconds());
    }
}
