namespace Narad.Kafka.Tests.Failures;

/// <summary>How long to wait before which retry.</summary>
public sealed class BackoffTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Waits_are_fixed_grow_or_are_listed()
    {
        Waits(Backoff.None).Should().Equal(0, 0, 0, 0);
        Waits(Backoff.Fixed(2 * Second)).Should().Equal(2, 2, 2, 2);
        Waits(Backoff.Exponential(2 * Second)).Should().Equal(2, 4, 8, 16);
        Waits(Backoff.Exponential(Second, 10, 30 * Second)).Should().Equal(1, 10, 30, 30);
        Waits(Backoff.List(5 * Second, Second)).Should().Equal(5, 1, 1, 1);
        Waits(Backoff.Custom(retry => retry * retry * Second)).Should().Equal(1, 4, 9, 16);
    }

    [Fact]
    public void A_wait_stays_within_zero_and_the_longest_whatever_a_delegate_or_a_large_number_says()
    {
        Backoff.Custom(_ => -Second).Before(1).Should().Be(TimeSpan.Zero);
        Backoff.Custom(_ => TimeSpan.MaxValue).Before(1).Should().Be(Backoff.Longest);
        Backoff.Exponential(Second, 100).Before(int.MaxValue).Should().Be(Backoff.Longest);
        Backoff.Exponential(TimeSpan.Zero, 100).Before(int.MaxValue).Should().Be(TimeSpan.Zero);
    }

    [Fact]
    public void Jitter_spreads_a_wait_around_its_length_and_no_further()
    {
        var waits = Backoff.Fixed(10 * Second).WithJitter(0.2, new Random(1));

        var seen = Enumerable.Range(1, 1_000).Select(retry => waits.Before(retry).TotalSeconds).ToList();

        seen.Should().OnlyContain(wait => wait >= 8 && wait <= 12);
        seen.Min().Should().BeLessThan(8.2);
        seen.Max().Should().BeGreaterThan(11.8);
        seen.Average().Should().BeApproximately(10, 0.2);
    }

    [Fact]
    public void What_makes_no_sense_is_refused()
    {
        var refused = new Action[]
        {
            () => Backoff.Fixed(-Second),
            () => Backoff.Fixed(TimeSpan.FromDays(367)),
            () => Backoff.Exponential(Second, 0.5),
            () => Backoff.Exponential(Second, double.NaN),
            () => Backoff.Exponential(Second, 2, -Second),
            () => Backoff.List(Second, -Second),
            () => Backoff.None.WithJitter(1.1),
            () => Backoff.None.WithJitter(double.NaN),
            () => Backoff.None.Before(0),
        };

        refused.Should().AllSatisfy(create => create.Should().Throw<ArgumentOutOfRangeException>());
        FluentActions.Invoking(() => Backoff.List()).Should().Throw<ArgumentException>();
    }

    private static IEnumerable<double> Waits(Backoff backoff) => Enumerable.Range(1, 4).Select(retry => backoff.Before(retry).TotalSeconds);
}
