using System.Text;
using System.Text.Json;
using global::QuickStart.Verification;
using global::QuickStart.Verification.Recording;
using global::QuickStart.Verification.Screen;
using Narad.Kafka;

namespace Narad.Samples.Tests.QuickStart;

/// <summary>The whole program, on a service that does to it what the recorder must notice.</summary>
public sealed class DemoTests
{
    [Fact]
    public async Task A_good_run_reports_every_figure_and_exits_with_0()
    {
        var kafka = new FakeKafka();

        var run = await Invocation.OfAsync(kafka, Invocation.Events(500));

        run.ExitCode.Should().Be(0, run.Error);
        run.Json.EnumerateObject().Select(field => field.Name).Should().Equal(
            "sent", "acknowledged", "handled", "lost", "outOfOrder", "duplicates", "foreign", "perSecond", "p50Ms", "p99Ms", "mode", "run");
        Figures(run).Should().Be("sent 500, acknowledged 500, handled 500, lost 0, outOfOrder 0, duplicates 0, foreign 0");
        run.Json.GetProperty("mode").GetString().Should().Be("Embedded");
        run.Json.GetProperty("perSecond").GetDouble().Should().BePositive();
        run.Json.GetProperty("p50Ms").GetDouble().Should().BeLessThanOrEqualTo(run.Json.GetProperty("p99Ms").GetDouble());
        run.Output.Should().Contain("Next, try:").And.NotContain("\u001b");
        kafka.Disconnected.Should().BeTrue();
    }

    [Fact]
    public async Task Lines_travel_byte_for_byte_with_their_key_run_and_number()
    {
        var kafka = new FakeKafka();

        await Invocation.OfAsync(kafka, "{\"id\": \"ü\" }\n{}\n", "--key", "id", "--topic", "events", "--group", "readers");

        kafka.Group.Should().Be("readers");
        kafka.Written.Select(message => (message.Topic, Encoding.UTF8.GetString(message.Value), message.Key, message.Headers.GetText("line"))).Should().Equal(
            ("events", "{\"id\": \"ü\" }", (MessageKey)"ü", "1"),
            ("events", "{}", MessageKey.None, "2"));
        kafka.Written.Select(message => message.Headers.GetText("run")).Distinct().Should().ContainSingle().Which.Should().NotBeNullOrEmpty();
    }

    [Fact]
    public async Task A_message_committed_past_without_being_handled_is_lost_and_exits_with_1()
    {
        var run = await Invocation.OfAsync(new FakeKafka { Swallow = line => line is 7 or 9 }, Invocation.Events(20));

        Figures(run).Should().Be("sent 20, acknowledged 20, handled 18, lost 2, outOfOrder 0, duplicates 0, foreign 0");
        run.ExitCode.Should().Be(1);
    }

    [Fact]
    public async Task A_change_of_order_within_a_key_exits_with_1()
    {
        var run = await Invocation.OfAsync(new FakeKafka { Overtaken = line => line == 7 }, Invocation.Events(20, users: 1));

        Figures(run).Should().Be("sent 20, acknowledged 20, handled 20, lost 0, outOfOrder 1, duplicates 0, foreign 0");
        run.ExitCode.Should().Be(1);
    }

    [Fact]
    public async Task A_repeated_message_is_a_duplicate_and_exits_with_0()
    {
        var run = await Invocation.OfAsync(new FakeKafka { Repeat = line => line == 7 }, Invocation.Events(20));

        Figures(run).Should().Be("sent 20, acknowledged 20, handled 20, lost 0, outOfOrder 0, duplicates 1, foreign 0");
        run.ExitCode.Should().Be(0);
    }

    [Fact]
    public async Task What_other_members_handled_is_neither_handled_nor_lost()
    {
        var kafka = new FakeKafka { Elsewhere = partition => partition < 3 };

        var run = await Invocation.OfAsync(kafka, Invocation.Events(200, users: 50));

        var handled = run.Json.GetProperty("handled").GetInt64();
        handled.Should().BeInRange(1, 199);
        run.Json.GetProperty("lost").GetInt64().Should().Be(0);
        run.Output.Should().Contain("handled by other members");
        run.ExitCode.Should().Be(0);
    }

    [Fact]
    public async Task A_refused_send_is_reported_with_its_line_and_exits_with_1()
    {
        var run = await Invocation.OfAsync(new FakeKafka { Refuse = line => line == 7 }, Invocation.Events(20));

        Figures(run).Should().Be("sent 20, acknowledged 19, handled 19, lost 0, outOfOrder 0, duplicates 0, foreign 0");
        run.Error.Should().Contain("line 7 was not acknowledged: refused line 7");
        run.ExitCode.Should().Be(1);
    }

    [Fact]
    public async Task Malformed_lines_are_reported_with_their_numbers_and_the_run_continues()
    {
        var run = await Invocation.OfAsync(new FakeKafka(), "{\"userId\":\"a\"}\nnonsense\n\n{\"userId\":\"a\"}\n");

        Figures(run).Should().Be("sent 2, acknowledged 2, handled 2, lost 0, outOfOrder 0, duplicates 0, foreign 0");
        run.Error.Should().Contain("line 2 is malformed and left out: not JSON").And.Contain("line 3 is malformed and left out: empty");
        run.ExitCode.Should().Be(0);
    }

    [Fact]
    public async Task An_empty_input_ends_at_once_with_nothing_to_report()
    {
        var run = await Invocation.OfAsync(new FakeKafka(), "");

        Figures(run).Should().Be("sent 0, acknowledged 0, handled 0, lost 0, outOfOrder 0, duplicates 0, foreign 0");
        run.Json.GetProperty("p50Ms").ValueKind.Should().Be(JsonValueKind.Null);
        run.ExitCode.Should().Be(0);
    }

    [Fact]
    public async Task In_Console_nothing_is_handled_or_lost()
    {
        var run = await Invocation.OfAsync(new FakeKafka(KafkaMode.Console), Invocation.Events(20), "--mode", "console");

        Figures(run).Should().Be("sent 20, acknowledged 20, handled null, lost null, outOfOrder 0, duplicates 0, foreign 0");
        run.Json.GetProperty("mode").GetString().Should().Be("Console");
        run.Output.Should().MatchRegex(@"acknowledged +\| +logged only").And.Contain("Nothing was sent to a broker");
        run.ExitCode.Should().Be(0);
    }

    [Fact]
    public async Task The_output_has_a_line_for_each_handled_message_and_says_whose_it_is()
    {
        var path = Path.GetTempFileName();
        try
        {
            var kafka = new FakeKafka { Repeat = line => line == 2 };
            kafka.PutForeign("other", 5);

            var run = await Invocation.OfAsync(kafka, "{\"userId\":\"a\"}\n{\"userId\":\"b\"}\n{}\n", "--output", path);

            var lines = (await File.ReadAllLinesAsync(path)).Select(line => JsonDocument.Parse(line).RootElement).ToList();
            lines.Select(line => line.GetProperty("line").GetInt64()).Should().BeEquivalentTo([5, 1, 2, 2, 3]);
            lines[0].GetProperty("run").GetString().Should().Be("other");
            var own = run.Json.GetProperty("run").GetString();
            lines.Skip(1).Should().OnlyContain(line => line.GetProperty("run").GetString() == own);
            run.Output.Should().Contain($"In {path} this run is {own}");
            lines.Should().OnlyContain(line => string.Join(',', line.EnumerateObject().Select(field => field.Name)) == "key,line,partition,offset,run");
            lines[1].GetProperty("key").GetString().Should().Be("a");
            lines[4].GetProperty("key").ValueKind.Should().Be(JsonValueKind.Null);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [SkippableFact]
    public async Task A_handler_that_fails_ends_the_run_with_its_reason()
    {
        Skip.IfNot(File.Exists("/dev/full"), "/dev/full, a file that is always full, is not there");

        var run = await Invocation.OfAsync(new FakeKafka(), Invocation.Events(20), "--output", "/dev/full");

        run.ExitCode.Should().Be(1);
        run.Output.Should().Contain("The run broke off: user-events[").And.Contain("stopped at offset 0");
        run.Json.GetProperty("handled").GetInt64().Should().Be(0);
        run.Json.GetProperty("lost").GetInt64().Should().Be(20);
    }

    [Fact]
    public async Task An_interrupted_run_counts_what_was_not_handled()
    {
        using var stop = new CancellationTokenSource();
        var kafka = new FakeKafka();
        kafka.Stuck = line =>
        {
            if (line == 15)
            {
                SpinWait.SpinUntil(() => kafka.Written.Count == 20, TimeSpan.FromMinutes(2)).Should().BeTrue();
                stop.Cancel();
            }

            return line == 15;
        };

        var run = await Invocation.OfAsync(kafka, new MemoryStream(Encoding.UTF8.GetBytes(Invocation.Events(20))), stop.Token, "-", "--json");

        Figures(run).Should().Be("sent 20, acknowledged 20, handled 14, lost 6, outOfOrder 0, duplicates 0, foreign 0");
        run.Output.Should().Contain("interrupted");
        run.ExitCode.Should().Be(1);
        kafka.Disconnected.Should().BeTrue();
    }

    [Theory]
    [InlineData("There is no option --fast", "--fast")]
    [InlineData("--mode is embedded, kafka, console or auto, not \"turbo\"", "--mode", "turbo")]
    [InlineData("--key needs a value", "--key")]
    [InlineData("--key needs a value", "--key", "--json")]
    [InlineData("--group needs a value", "--group=")]
    [InlineData("--json takes no value", "--json=yes")]
    [InlineData("--handle-delay is a whole number of milliseconds", "--handle-delay", "5s")]
    [InlineData("--handle-delay is a whole number of milliseconds", "--handle-delay", "-5")]
    [InlineData("--topic \"no spaces\" is no legal name", "--topic", "no spaces")]
    [InlineData("--brokers names a real Kafka, which --mode embedded does not use", "--brokers", "a:1", "--mode", "embedded")]
    [InlineData("--brokers is HOST:PORT", "--brokers", "localhost")]
    [InlineData("--brokers is HOST:PORT", "--brokers", "http://localhost:9092")]
    [InlineData("--brokers is HOST:PORT", "--brokers", "a:1,,b:2")]
    [InlineData("--brokers is HOST:PORT", "--brokers", "a:70000")]
    [InlineData("One input file, please", "a.jsonl", "b.jsonl")]
    [InlineData("The input can not be read: Could not find file", "no-such-file.jsonl")]
    [InlineData("The output can not be written: Could not find a part", "--output", "no/such/folder/out.jsonl")]
    public async Task Wrong_arguments_are_answered_with_what_is_wrong_and_2(string message, params string[] args)
    {
        var kafka = new FakeKafka();

        var run = await Invocation.OfAsync(kafka, Stream.Null, CancellationToken.None, args);

        run.ExitCode.Should().Be(2);
        run.Error.Should().Contain(message).And.Contain("See --help.");
        run.Output.Should().BeEmpty();
        kafka.Written.Should().BeEmpty();
    }

    [Fact]
    public async Task The_output_never_overwrites_the_input()
    {
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(path, Invocation.Events(3));

            var run = await Invocation.OfAsync(new FakeKafka(), Stream.Null, CancellationToken.None, path, "--output", path);

            run.ExitCode.Should().Be(2);
            run.Error.Should().Contain("--output would overwrite the input");
            (await File.ReadAllTextAsync(path)).Should().Be(Invocation.Events(3));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task An_unreachable_broker_is_an_error_of_one_line()
    {
        var kafka = new FakeKafka(KafkaMode.Kafka) { ConnectFault = new KafkaConnectionException("No broker answered at localhost:1.") };

        var run = await Invocation.OfAsync(kafka, "{}", "--brokers", "localhost:1");

        run.ExitCode.Should().Be(1);
        run.Error.Trim().Should().Be("No broker answered at localhost:1.");
        run.Output.Trim().Should().Be("Connecting to localhost:1 …");
    }

    [Fact]
    public async Task Before_anything_is_sent_there_is_no_progress_to_tell()
    {
        var output = new StringWriter();
        var recorder = new Recorder();
        var looked = 0;
        var enough = new TaskCompletionSource();

        await new PlainScreen(output, TextWriter.Null, TimeSpan.FromMilliseconds(1)).ShowAsync(
            () =>
            {
                if (++looked == 3)
                {
                    enough.SetResult();
                }

                return recorder.Read(KafkaMode.Kafka);
            },
            async () =>
            {
                await enough.Task;
                return null!;
            });

        output.ToString().Should().BeEmpty();
    }

    [Fact]
    public async Task A_broker_that_is_gone_ends_the_run_by_itself_with_what_can_not_be_known()
    {
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("user-events");
        var path = Path.GetTempFileName();
        try
        {
            var input = new MemoryStream(Encoding.UTF8.GetBytes(Invocation.Events(300, users: 1)));
            var limits = WaitLimits.Default with { BrokerGone = TimeSpan.FromSeconds(2) };
            var running = Invocation.OfAsync(options => new KafkaService(options), input, limits, CancellationToken.None, "-", "--json", "--handle-delay",
                "100", "--brokers", broker.BootstrapServers, "--output", path);
            while (new FileInfo(path).Length == 0)
            {
                running.IsCompleted.Should().BeFalse();
                await Task.Delay(20);
            }

            broker.Dispose();
            var run = await running;

            run.ExitCode.Should().Be(1);
            run.Output.Should().Contain("The run broke off: no broker has answered for 2 s.").And.Contain("can not be known now").And.Contain("may be lost")
                .And.NotContain("Lost to this run, not to");
            run.Json.GetProperty("lost").GetInt64().Should().Be(run.Json.GetProperty("acknowledged").GetInt64() - run.Json.GetProperty("handled").GetInt64())
                .And.BePositive();
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task A_topic_that_the_embedded_broker_of_another_demo_has_not_is_an_error_of_one_line()
    {
        using var broker = EmbeddedBroker.Start();

        var run = await Invocation.OfAsync(options =>
            new KafkaService(options), Stream.Null, WaitLimits.Default, CancellationToken.None, "--brokers", broker.BootstrapServers, "--topic", "elsewhere");

        run.ExitCode.Should().Be(1);
        run.Error.Trim().Should().StartWith("Topic elsewhere: this broker creates no topics by request.").And.NotContain("\n");
    }

    [Fact]
    public async Task A_run_that_is_interrupted_while_its_broker_is_gone_does_not_claim_to_know()
    {
        using var stop = new CancellationTokenSource();
        var kafka = new FakeKafka(KafkaMode.Kafka);
        kafka.Stuck = line =>
        {
            if (line == 15)
            {
                SpinWait.SpinUntil(() => kafka.Written.Count == 20, TimeSpan.FromMinutes(2)).Should().BeTrue();
                kafka.IsConnected = false;
                stop.Cancel();
            }

            return line == 15;
        };

        var run = await Invocation.OfAsync(kafka, new MemoryStream(Encoding.UTF8.GetBytes(Invocation.Events(20))), stop.Token, "-", "--brokers", "a:1");

        run.ExitCode.Should().Be(1);
        run.Output.Should().Contain("what became of 6 acknowledged and not handled messages can not be known now").And.NotContain("continues with it");
    }

    [Fact]
    public async Task A_folder_is_no_input_and_no_output()
    {
        var folder = Path.GetTempPath();

        (await Invocation.OfAsync(new FakeKafka(), Stream.Null, CancellationToken.None, folder)).Error.Should()
            .Contain($"The input can not be read: {folder} is a folder.");
        (await Invocation.OfAsync(new FakeKafka(), Stream.Null, CancellationToken.None, "--output", folder)).Error.Should()
            .Contain($"The output can not be written: {folder} is a folder.");
    }

    [Fact]
    public async Task Arguments_become_the_services_options()
    {
        var kafka = new FakeKafka(KafkaMode.Kafka);

        await Invocation.OfAsync(kafka, "{}", "--brokers=a:1,b:2");

        kafka.Options.Should()
            .BeEquivalentTo(new { Brokers = "a:1,b:2", Mode = KafkaMode.Kafka, TopicCreation = TopicCreation.IfMissing, TopicPartitions = 6 });
    }

    [Fact]
    public async Task The_input_that_ships_is_2000_user_events_some_without_a_user()
    {
        var kafka = new FakeKafka();

        var run = await Invocation.OfAsync(kafka, Stream.Null, CancellationToken.None, "--json");

        run.ExitCode.Should().Be(0, run.Error);
        run.Error.Should().BeEmpty();
        kafka.Written.Should().HaveCount(2_000);
        kafka.Written.Count(message => message.Key.IsNone).Should().BeInRange(1, 200);
        kafka.Written.Select(message => message.Key).Distinct().Should().HaveCountGreaterThan(90);
    }

    private static string Figures(Invocation run) => string.Join(
        ", ",
        new[] { "sent", "acknowledged", "handled", "lost", "outOfOrder", "duplicates", "foreign" }.Select(name =>
            $"{name} {run.Json.GetProperty(name).GetRawText()}"));
}
