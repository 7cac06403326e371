using System.Text.Json;
using Narad.Kafka;
using Narad.Kafka.Shared;
using Narad.Samples.Tests.ClientToClient;

namespace Narad.Samples.Tests.QuickStart;

/// <summary>The examples of the first file and its classes, as people run them.</summary>
public sealed class ExamplesTests
{
    private static readonly string[] Topics = ["user-events", "user-activity", "system-events", "test-topic"];

    private static readonly string[] HandledLines =
    [
        "Processing login for user: user122",
        "Processing login for user: user123",
        "Processing system event: STARTED of quickstart",
    ];

    [Fact]
    public void The_first_file_shows_sending_and_subscribing_in_less_than_60_lines()
    {
        var lines = File.ReadAllLines(Path.Combine(RepositoryFolder.Root, "samples", "QuickStart", "Program.cs"));

        lines.Length.Should().BeLessThan(60);
        lines.Should().Contain(line => line.Contains("SendAsync(\"")).And.Contain(line => line.Contains("SubscribeAsync<"));
    }

    [SkippableFact]
    public async Task Without_a_broker_they_run_on_an_embedded_one_until_they_are_stopped()
    {
        Skip.IfNot(DemoProcess.HasSignals, "signals are sent with kill, which Windows has not");
        using var examples = DemoProcess.Examples();

        await AllIsHandledAsync(examples);
        examples.Terminate();

        (await examples.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', examples.Error));
        examples.Output.First().Should().Be("Kafka not available, implementing fallback...", "the first event comes before the connection");
        examples.Output.Should().Contain("Published login event for user: user123").And.Contain("Kafka connected: True. Press Ctrl-C to stop.");
        examples.Output.Last().Should().Be("Shutting down gracefully...");
        examples.Error.Should().BeEmpty();
    }

    [SkippableFact]
    public async Task Ctrl_C_ends_them_cleanly()
    {
        Skip.IfNot(DemoProcess.HasInterrupts, "there is no signal to send (Windows), or interrupts are ignored here, as in the background of a script");
        using var examples = DemoProcess.Examples(("KAFKA_MODE", "console"));

        await examples.UntilAsync(() => examples.Output.Any(line => line.EndsWith("Press Ctrl-C to stop.", StringComparison.Ordinal)), "they wait");
        examples.Interrupt();

        (await examples.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', examples.Error));
        examples.Output.Last().Should().Be("Shutting down gracefully...");
    }

    [SkippableFact]
    public async Task In_Console_mode_what_would_be_sent_is_logged()
    {
        Skip.IfNot(DemoProcess.HasSignals, "signals are sent with kill, which Windows has not");
        using var examples = DemoProcess.Examples(("KAFKA_MODE", "console"));

        await examples.UntilAsync(() => examples.Output.Any(line => line.EndsWith("Press Ctrl-C to stop.", StringComparison.Ordinal)), "they wait");
        examples.Terminate();

        (await examples.EndAsync()).Should().Be(0);
        examples.Output.Should().Contain("[DEV] Would send to test-topic: {\"message\":\"Hello World\"}")
            .And.Contain("Kafka connected: False. Press Ctrl-C to stop.");
        var login = examples.Output.Single(
            line => line.StartsWith("[DEV] Would send to user-events: ", StringComparison.Ordinal) && line.Contains("\"user123\""));
        var json = JsonDocument.Parse(login[login.IndexOf('{', StringComparison.Ordinal)..]).RootElement;
        json.EnumerateObject().Select(field => field.Name).Should().Equal("type", "userId", "timestamp", "ip");
        json.GetProperty("type").GetString().Should().Be("USER_LOGIN");
    }

    [SkippableFact]
    public async Task An_unknown_type_of_event_is_named_and_what_follows_is_processed()
    {
        Skip.IfNot(DemoProcess.HasSignals, "signals are sent with kill, which Windows has not");
        using var broker = EmbeddedBroker.Start();
        foreach (var topic in (string[])[.. Topics, "user-events-dlt"])
        {
            broker.CreateTopic(topic, 1);
        }

        await using var kafka = new KafkaService(new KafkaOptions { Brokers = broker.BootstrapServers, Mode = KafkaMode.Kafka });
        await kafka.Init().ConnectProducerAsync();
        await kafka.SendAsync("user-events", new { type = "USER_DELETED", userId = "user9" });
        using var examples = DemoProcess.Examples(("KAFKA_BROKERS", broker.BootstrapServers));

        await AllIsHandledAsync(examples);
        examples.Terminate();

        (await examples.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', examples.Error));
        examples.Output.Should().ContainSingle(line => line == "Unknown user event type: USER_DELETED");
        (await kafka.DeadLetters.CountAsync("user-events-dlt")).Should().Be(0);
    }

    [SkippableFact]
    public async Task On_real_Kafka_they_create_their_topics()
    {
        Skip.IfNot(DemoProcess.HasSignals, "signals are sent with kill, which Windows has not");
        var brokers = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA");
        Skip.If(string.IsNullOrEmpty(brokers), "NARAD_TEST_KAFKA names no broker");
        var run = Guid.NewGuid().ToString("N");
        using var examples = DemoProcess.Examples(
            [("KAFKA_BROKERS", brokers!), .. Topics.Select(topic => ($"KAFKA_TOPIC_{topic.ToUpperInvariant().Replace('-', '_')}", $"{topic}-{run}"))]);

        await AllIsHandledAsync(examples);
        examples.Terminate();

        (await examples.EndAsync()).Should().Be(0, "it said {0}", string.Join('\n', examples.Error));
        examples.Output.Should().Contain(line => line.StartsWith($"Received message: 123 did open. From topic: user-activity-{run}", StringComparison.Ordinal));
    }

    [SkippableFact]
    public async Task One_command_starts_them_says_what_to_try_next_and_stops_them()
    {
        Skip.If(OperatingSystem.IsWindows(), "samples/run is a bash script.");
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        using var run = new SampleRun(new Dictionary<string, string>(StringComparer.Ordinal), "--no-build", "--configuration", configuration, "quickstart");

        await run.LineAsync("Processing system event: STARTED of quickstart");
        await run.LineAsync("./demo.sh");
        run.Stop();

        (await run.EndAsync()).Should().Be(0);
        run.Lines.Should().Contain("quickstart│ Shutting down gracefully...");
    }

    private static async Task AllIsHandledAsync(DemoProcess examples)
    {
        await examples.UntilAsync(() => HandledLines.All(examples.Output.Contains), "the events are processed");
        await examples.UntilAsync(
            () => examples.Output.Count(line => line.StartsWith("Received message: ", StringComparison.Ordinal)) == 2
                && examples.Output.Any(line => line.StartsWith("Kafka connected", StringComparison.Ordinal)),
            "the activity is handled");
    }
}
