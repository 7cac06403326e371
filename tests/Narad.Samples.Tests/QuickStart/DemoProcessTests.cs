using System.Globalization;
using System.Text.Json;

namespace Narad.Samples.Tests.QuickStart;

/// <summary>The demo as people run it, and its figures against what its <c>--output</c> files say.</summary>
public sealed class DemoProcessTests
{
    [Fact]
    public async Task The_shipped_input_goes_through_the_embedded_broker_whole_and_in_order()
    {
        using var demo = new DemoProcess();

        (await demo.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', demo.Error));

        Figure(demo, "sent").Should().Be(2_000);
        Figure(demo, "lost").Should().Be(0);
        Figure(demo, "outOfOrder").Should().Be(0);
        var handled = demo.Handled();
        handled.Select(line => line.Line).Order().Should().Equal(Enumerable.Range(1, 2_000).Select(line => (long)line));
        handled.Where(line => line.Key is not null).GroupBy(line => line.Key).Should()
            .OnlyContain(key => key.Select(line => line.Line).SequenceEqual(key.Select(line => line.Line).Order()));
        demo.Error.Should().BeEmpty();
    }

    [Fact]
    public async Task More_than_the_embedded_broker_keeps_goes_through_it_whole_in_bounded_memory()
    {
        const int Count = 200_000;
        using var demo = new DemoProcess("-");
        var padding = new string('x', 350);
        for (var line = 0; line < Count; line++)
        {
            await demo.Input.WriteAsync($"{{\"userId\":\"u{line % 500}\",\"text\":\"{padding}\"}}\n");
        }

        demo.Input.Close();
        (await demo.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', demo.Error));

        Figure(demo, "handled").Should().Be(Count);
        Figure(demo, "lost").Should().Be(0);
        demo.Handled().Select(line => line.Line).Distinct().Should().HaveCount(Count);
        demo.PeakMemory.Should().BeLessThan(500_000_000);
    }

    [SkippableFact]
    public async Task A_run_that_is_terminated_ends_at_once_with_a_true_summary()
    {
        Skip.IfNot(DemoProcess.HasSignals, "signals are sent with kill, which Windows has not");
        using var demo = new DemoProcess("--handle-delay", "200");
        await demo.UntilAsync(() => demo.Handled().Count > 50, "some lines are handled");

        demo.Terminate();
        (await demo.EndAsync().WaitAsync(TimeSpan.FromSeconds(15))).Should().Be(1, "what was not handled went with the embedded broker");

        Figure(demo, "handled").Should().Be(demo.Handled().Count);
        Figure(demo, "duplicates").Should().Be(0);
        Figure(demo, "lost").Should().Be(Figure(demo, "acknowledged") - Figure(demo, "handled")).And.BePositive();
    }

    [SkippableFact]
    public async Task Termination_does_not_wait_for_input_that_never_comes()
    {
        Skip.IfNot(DemoProcess.HasSignals, "signals are sent with kill, which Windows has not");
        using var demo = new DemoProcess("-");
        await demo.Input.WriteAsync("{\"userId\":\"a\"}\n");
        await demo.Input.FlushAsync();
        await demo.UntilAsync(() => demo.Handled().Count == 1, "the first line is handled");

        demo.Terminate();

        (await demo.EndAsync().WaitAsync(TimeSpan.FromSeconds(15))).Should().Be(0);
        Figure(demo, "handled").Should().Be(1);
        Figure(demo, "lost").Should().Be(0);
    }

    [Fact]
    public async Task Console_prints_what_it_would_send()
    {
        using var demo = new DemoProcess("-", "--mode", "console", "--topic", "test-topic");
        await demo.Input.WriteAsync("{\"message\":\"Hello World\"}\n");
        demo.Input.Close();

        (await demo.EndAsync()).Should().Be(0);

        demo.Output.Should().Contain("[DEV] Would send to test-topic: {\"message\":\"Hello World\"}");
        demo.Summary.GetProperty("handled").ValueKind.Should().Be(JsonValueKind.Null);
        demo.Summary.GetProperty("lost").ValueKind.Should().Be(JsonValueKind.Null);
        demo.Summary.GetProperty("mode").GetString().Should().Be("Console");
    }

    [Fact]
    public async Task Two_demos_share_a_group_and_together_handle_every_line_of_both()
    {
        using var first = new DemoProcess("-", "--handle-delay", "5");
        await WriteAsync(first, 1, 500);
        using var second = new DemoProcess("-", "--handle-delay", "5", "--brokers", await first.BrokerAsync());

        var sent = await FeedUntilSharedAsync(first, second, from: 501);
        second.Input.Close();
        (await second.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', second.Error));
        first.Input.Close();
        (await first.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', first.Error));

        AllLinesAreHandled(first, second, sent);
        Consistent(first);
        Consistent(second);
        Figure(first, "foreign").Should().BePositive();
        Figure(second, "foreign").Should().BePositive();
    }

    [Fact]
    public async Task A_demo_whose_embedded_broker_another_one_uses_ends_after_that_one()
    {
        using var first = new DemoProcess("-", "--handle-delay", "5");
        await WriteAsync(first, 1, 100);
        using var second = new DemoProcess("-", "--handle-delay", "100", "--brokers", await first.BrokerAsync());
        await WriteAsync(second, 1, 500);
        await second.UntilAsync(() => second.Handled().Exists(line => line.IsOwn), "the second has its share of the group");

        first.Input.Close();
        await first.UntilAsync(() =>
            first.Output.Any(line => line.Contains("waits for the other demo", StringComparison.Ordinal)), "the first is done, and waits");
        await WriteAsync(second, 501, 100);
        second.Input.Close();

        (await second.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', second.Error));
        (await first.EndAsync().WaitAsync(TimeSpan.FromSeconds(30))).Should().Be(0, "it said {0}", string.Join('\n', first.Error));
        AllLinesAreHandled(second, first, 600);
        Consistent(first);
        Consistent(second);
    }

    [SkippableFact]
    public async Task An_interrupted_demo_says_how_many_handled_messages_come_again()
    {
        Skip.IfNot(DemoProcess.HasInterrupts, "there is no signal to send (Windows), or interrupts are ignored here, as in the background of a script");
        using var first = new DemoProcess("-", "--handle-delay", "20");
        await WriteAsync(first, 1, 50);
        using var second = new DemoProcess("-", "--handle-delay", "50", "--brokers", await first.BrokerAsync());
        await WriteAsync(second, 1, 3_000, line => line % 2 == 0 ? $"busy-{line % 24}" : $"u{line}"); // what is behind a busy key is handled before it
        await second.UntilAsync(() => second.Handled().Count > 100, "the second is in the middle of its share");

        var before = first.Handled().Select(Place).ToList(); // what came to the second after the first had it
        second.Interrupt();
        (await second.EndAsync()).Should().Be(1, "much was not handled");
        first.Input.Close();
        (await first.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', first.Error));

        var places = first.Handled().Select(Place).Except(before).ToHashSet();
        var again = second.Handled().Select(Place).Distinct().Count(places.Contains);
        var said = again == 0
            ? "When the group continues, none of the handled messages comes again"
            : string.Create(CultureInfo.InvariantCulture, $"When the group continues, {again:N0} of the handled messages come again");
        second.Output.Should().Contain(line => line.StartsWith(said, StringComparison.Ordinal));
        second.Output.Should().Contain(line => line.Contains("A second Ctrl-C ends the process at once", StringComparison.Ordinal));

        static (int, long) Place(DemoProcess.HandledLine line) => (line.Partition, line.Offset);
    }

    [SkippableFact]
    public async Task An_interrupt_before_anything_was_sent_is_answered_with_a_sentence_and_1()
    {
        Skip.IfNot(DemoProcess.HasInterrupts, "there is no signal to send (Windows), or interrupts are ignored here, as in the background of a script");
        using var demo = new DemoProcess("-");
        await demo.BrokerAsync();

        demo.Interrupt();

        (await demo.EndAsync()).Should().Be(1);
        demo.Output.Should().Contain("Interrupted before anything was sent: there is nothing to report.")
            .And.NotContain(line => line.Contains("throughput", StringComparison.Ordinal));
        Figure(demo, "sent").Should().Be(0);
    }

    [SkippableFact]
    public async Task A_demo_that_is_killed_loses_nothing_of_the_other()
    {
        Skip.IfNot(DemoProcess.HasSignals, "signals are sent with kill, which Windows has not");
        using var survivor = new DemoProcess("-", "--handle-delay", "5");
        await WriteAsync(survivor, 1, 500);
        using var victim = new DemoProcess("-", "--handle-delay", "5", "--brokers", await survivor.BrokerAsync());
        var sent = await FeedUntilSharedAsync(survivor, victim, from: 501);

        victim.Kill();
        await WriteAsync(survivor, sent + 1, 500);
        survivor.Input.Close();
        (await survivor.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', survivor.Error));

        Figure(survivor, "sent").Should().Be(sent + 500);
        AllLinesAreHandled(survivor, victim, sent + 500);
        Consistent(survivor);
    }

    [SkippableFact]
    public async Task On_real_Kafka_a_missing_topic_is_created_with_6_partitions_and_nothing_is_lost()
    {
        var brokers = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA");
        Skip.If(string.IsNullOrEmpty(brokers), "NARAD_TEST_KAFKA names no broker");
        var name = $"quickstart-{Guid.NewGuid():N}";
        using var demo = new DemoProcess("--brokers", brokers!, "--topic", name, "--group", name);

        (await demo.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', demo.Error));

        Figure(demo, "handled").Should().Be(2_000);
        Figure(demo, "lost").Should().Be(0);
        Figure(demo, "outOfOrder").Should().Be(0);
        demo.Summary.GetProperty("mode").GetString().Should().Be("Kafka");
        demo.Handled().Select(line => line.Partition).Distinct().Order().Should().Equal(0, 1, 2, 3, 4, 5);
    }

    private static async Task WriteAsync(DemoProcess demo, long from, int count, Func<long, string>? user = null)
    {
        for (var line = from; line < from + count; line++)
        {
            await demo.Input.WriteAsync($"{{\"userId\":\"{user?.Invoke(line) ?? $"u{line % 50}"}\",\"n\":{line}}}\n");
        }

        await demo.Input.FlushAsync();
    }

    // Until each has handled messages of the other: only then do they share the group.
    private static async Task<long> FeedUntilSharedAsync(DemoProcess first, DemoProcess second, long from)
    {
        var sent = from - 1;
        await first.UntilAsync(
            () =>
            {
                WriteAsync(first, sent + 1, 20).GetAwaiter().GetResult();
                WriteAsync(second, 1, 20).GetAwaiter().GetResult();
                sent += 20;
                return first.Handled().Exists(line => !line.IsOwn) && second.Handled().Exists(line => !line.IsOwn);
            },
            "both handle messages of both");
        return sent;
    }

    private static void AllLinesAreHandled(DemoProcess run, DemoProcess other, long count)
    {
        var mine = run.Handled().Where(line => line.IsOwn).ToList();
        var ids = other.Handled().Where(line => !line.IsOwn).Select(line => line.Run).Distinct().ToList();
        ids.Should().ContainSingle("there is one other run");
        mine.Concat(other.Handled().Where(line => !line.IsOwn)).Select(line => line.Line).Distinct().Order()
            .Should().Equal(Enumerable.Range(1, (int)count).Select(line => (long)line));
    }

    private static void Consistent(DemoProcess demo)
    {
        var own = demo.Handled().Where(line => line.IsOwn).Select(line => line.Line).ToList();
        Figure(demo, "handled").Should().Be(own.Distinct().Count());
        Figure(demo, "duplicates").Should().Be(own.Count - own.Distinct().Count());
        Figure(demo, "foreign").Should().Be(demo.Handled().Count - own.Count);
        Figure(demo, "lost").Should().Be(0);
        Figure(demo, "outOfOrder").Should().Be(0);
        Figure(demo, "acknowledged").Should().Be(Figure(demo, "sent"));
    }

    private static long Figure(DemoProcess demo, string name) => demo.Summary.GetProperty(name).GetInt64();
}
