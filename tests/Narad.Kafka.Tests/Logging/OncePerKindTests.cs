using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Tests.Logging;

/// <summary>Trouble that repeats is logged once a kind until it is over, and again at long intervals.</summary>
public sealed class OncePerKindTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void Each_kind_is_due_once_until_it_is_over()
    {
        var news = new OncePerKind<string>(_time);
        news.IsEmpty.Should().BeTrue();
        news.IsDue("a").Should().BeTrue();
        news.IsDue("a").Should().BeFalse();
        news.IsDue("b").Should().BeTrue();
        news.Over("a").Should().BeTrue();
        news.Over("a").Should().BeFalse();
        news.IsDue("a").Should().BeTrue();
        news.IsDue("b").Should().BeFalse();
        news.Over();
        news.IsEmpty.Should().BeTrue();
        news.IsDue("b").Should().BeTrue();
    }

    [Fact]
    public void What_lasts_is_due_again_at_the_reminder_interval()
    {
        var news = new OncePerKind<string>(_time);
        var due = 0;
        for (var minute = 0; minute < 120; minute++)
        {
            due += news.IsDue("a") ? 1 : 0;
            _time.Advance(TimeSpan.FromMinutes(1));
        }

        due.Should().Be(4, "at the beginning, and after 30, 60 and 90 minutes");
    }

    [Fact]
    public void What_was_not_met_for_the_lapse_is_news_again()
    {
        var news = new OncePerKind<string>(_time, TimeSpan.FromMinutes(5));
        news.IsDue("a").Should().BeTrue();
        _time.Advance(TimeSpan.FromMinutes(4));
        news.IsDue("a").Should().BeFalse();
        _time.Advance(TimeSpan.FromMinutes(4));
        news.IsDue("a").Should().BeFalse("it was met within the lapse");
        _time.Advance(TimeSpan.FromMinutes(5));
        news.IsDue("a").Should().BeTrue();
    }

    [Fact]
    public async Task Of_many_threads_one_is_told_to_log()
    {
        var news = new OncePerKind<int>(_time);
        var due = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => Enumerable.Range(0, 100).Count(news.IsDue))));
        due.Sum().Should().Be(100);
    }
}
