using System.Globalization;
using System.Text.RegularExpressions;
using Confluent.Kafka;
using Narad.Kafka.Consuming;
using Narad.Kafka.Tests.OwnProcess;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Transports;

/// <summary>That an embedded broker with many topics and groups costs little while nobody sends.</summary>
public sealed partial class EmbeddedFetchesTests
{
    [Fact, Trait("Category", "RunsAlone")]
    public async Task Five_hundred_topics_and_twenty_groups_take_less_than_a_tenth_of_a_processor_while_nobody_sends()
    {
        // Beside a busy machine the same work takes more processor time: the best of up to three runs counts.
        var least = double.MaxValue;
        var outputs = "";
        for (var run = 0; run < 3 && least >= 10; run++)
        {
            var (exitCode, output) = await ChildProcess.RunAsync(nameof(IdleEmbeddedBroker));
            exitCode.Should().Be(0, output);
            least = Math.Min(least, double.Parse(Percent().Match(output).Groups["percent"].Value, CultureInfo.InvariantCulture));
            outputs += output;
        }

        least.Should().BeLessThan(10, outputs);
    }

    [Fact]
    public void A_few_consumers_of_a_few_topics_wait_10_ms_for_messages_and_many_wait_longer()
    {
        var fetches = new EmbeddedFetches();
        var owner = new object();
        for (var group = 0; group < 4; group++)
        {
            fetches.WaitFor(owner, $"group-{group}", topics: 9).Should().Be(TimeSpan.FromMilliseconds(10));
        }

        fetches.WaitFor(owner, "group-4", topics: 9).Should().Be(TimeSpan.FromMilliseconds(20));
        fetches.WaitFor(owner, "group-4", topics: 9).Should().Be(TimeSpan.FromMilliseconds(20), "one that is built again counts once");
        fetches.WaitFor(owner, "group-4", topics: 20).Should().Be(TimeSpan.FromMilliseconds(60));
        fetches.WaitFor(owner, "group-4", topics: 10_000).Should().Be(TimeSpan.FromMilliseconds(500));

        fetches.Forget(owner);
        fetches.WaitFor(new object(), "group-9", topics: 0).Should().Be(TimeSpan.FromMilliseconds(10));
    }

    [Fact]
    public void The_first_consumer_of_many_waits_as_long_as_the_others_once_they_are_there_and_so_does_one_that_is_built_again()
    {
        var (fetches, time, topics) = (new EmbeddedFetches(), new ManualTime(), 1);
        using var client = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig { GroupId = "g", BootstrapServers = "127.0.0.1:1" })
            .SetLogHandler((_, _) => { }).Build();
        using var next = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig { GroupId = "g", BootstrapServers = "127.0.0.1:1" })
            .SetLogHandler((_, _) => { }).Build();
        var pace = new FetchPace(() => fetches.WaitFor(this, "g", topics), time);
        pace.Turn(client, isIdle: false);
        pace.Wait.Should().Be(TimeSpan.FromMilliseconds(10));
        pace.PollFor(TimeSpan.FromMilliseconds(100)).Should().Be(TimeSpan.FromMilliseconds(100));

        topics = 500;
        pace.Turn(client, isIdle: false);
        pace.Wait.Should().Be(TimeSpan.FromMilliseconds(10), "it looks once a second");
        time.Advance(TimeSpan.FromSeconds(1));
        pace.Turn(client, isIdle: false);
        pace.Wait.Should().Be(TimeSpan.FromMilliseconds(500));
        pace.PollFor(TimeSpan.FromMilliseconds(100)).Should().Be(TimeSpan.FromMilliseconds(250));

        topics = 1;
        pace.Turn(next, isIdle: false);
        pace.Wait.Should().Be(TimeSpan.FromMilliseconds(10));
    }

    [Fact]
    public void A_consumer_that_gets_no_messages_asks_less_often_until_one_comes()
    {
        var (time, wait) = (new ManualTime(), TimeSpan.FromMilliseconds(10));
        using var client = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig { GroupId = "g", BootstrapServers = "127.0.0.1:1" })
            .SetLogHandler((_, _) => { }).Build();
        var pace = new FetchPace(() => wait, time);
        pace.Turn(client, isIdle: false);

        pace.Turn(client, isIdle: true);
        pace.Wait.Should().Be(TimeSpan.FromMilliseconds(50));

        pace.Turn(client, isIdle: false);
        pace.Wait.Should().Be(TimeSpan.FromMilliseconds(10), "it does not wait for the next second");

        wait = TimeSpan.FromMilliseconds(400);
        pace.Turn(client, isIdle: true);
        pace.Wait.Should().Be(TimeSpan.FromMilliseconds(500), "it is the longest");
    }

    [GeneratedRegex(@"percent (?<percent>[\d.]+)", RegexOptions.None, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Percent();
}
