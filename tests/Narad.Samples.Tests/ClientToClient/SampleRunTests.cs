using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Narad.Kafka.Shared;
using Narad.Samples.Tests.SharedParts;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>The sample as people run it: <c>samples/run client-to-client</c>, two processes, in real time.</summary>
public sealed partial class SampleRunTests
{
    private static readonly string[] AnyPorts = ["--urls=http://127.0.0.1:0", "--urls:client-b=http://127.0.0.1:0"];

    // What was built with these tests.
    private const string Configuration =
#if DEBUG
        "Debug";
#else
        "Release";
#endif

    private static readonly string[] Built = ["--no-build", "--configuration", Configuration];
    private const string NoBash = "samples/run is a bash script.";

    private static readonly Dictionary<string, string> Embedded = [];

    [SkippableFact]
    public async Task Without_a_name_it_lists_the_samples()
    {
        Skip.If(OperatingSystem.IsWindows(), NoBash);
        using var run = new SampleRun(Embedded);
        (await run.EndAsync()).Should().Be(0);
        run.Lines.Should().Contain(line => line.Contains("client-to-client"));

        using var unknown = new SampleRun(Embedded, "client-to-server");
        (await unknown.EndAsync()).Should().Be(2);
        unknown.Lines.Should().Contain("There is no sample 'client-to-server'.");
    }

    [SkippableFact]
    public async Task It_is_built_messages_arrive_and_both_services_stop_cleanly()
    {
        Skip.If(OperatingSystem.IsWindows(), NoBash);
        using var run = new SampleRun(Embedded, ["--configuration", Configuration, "client-to-client", .. AnyPorts]);
        var url = await run.UrlAsync();

        await PostAsync(url, "clientB");
        await PostAsync(url, "clientA");
        await run.LineAsync("Message ignored");
        run.Stop();

        (await run.EndAsync()).Should().Be(0);
        run.Lines.Count(line => line.StartsWith("client-a│ ", StringComparison.Ordinal) && line.Contains("Message saved to memory")).Should().Be(2);
        run.Lines.Count(line => line.StartsWith("client-b│ ", StringComparison.Ordinal) && line.Contains("Message saved (")).Should().Be(1);
        run.Lines.Should().NotContain(line => line.Contains("warn: ") || line.Contains("fail: ") || line.Contains("crit: "));
        run.Lines.Count(line => line.Contains("Kafka disconnected")).Should().Be(2);
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_always_fails_is_retried_after_2_4_and_8_seconds_never_early_and_at_most_a_second_late(bool onKafka)
    {
        Skip.If(OperatingSystem.IsWindows(), NoBash);
        using var stalls = new Stalls();
        using var run = onKafka
            ? OnKafka("--ClientB:ForceFailure=true")
            : new SampleRun(Embedded, [.. Built, "client-to-client", .. AnyPorts, "--ClientB:ForceFailure=true"]);
        var url = await run.UrlAsync();

        var sent = DateTimeOffset.UtcNow;
        await PostAsync(url, "clientB");
        await run.LineAsync("Moved to DLQ");
        var deadLettered = DateTimeOffset.UtcNow;
        run.Stop();
        (await run.EndAsync()).Should().Be(0);

        // Each line says when its retry is due, which is its wait after the failure before it.
        var retries = run.Lines.Select(line => Scheduled().Match(line)).Where(line => line.Success).ToList();
        retries.Select(line => line.Groups["retry"].Value).Should().Equal("1", "2", "3");
        var failures = retries.Select((line, i) => DateTimeOffset.Parse(line.Groups["due"].Value, CultureInfo.InvariantCulture).AddSeconds(-(2 << i))).ToList();
        failures[0].Should().BeOnOrAfter(sent.AddMilliseconds(-1));
        var late = TimeSpan.FromSeconds(1) + stalls.Allowance;
        (failures[1] - failures[0]).Should().BeGreaterThanOrEqualTo(TimeSpan.FromSeconds(2)).And.BeLessThanOrEqualTo(TimeSpan.FromSeconds(2) + late);
        (failures[2] - failures[1]).Should().BeGreaterThanOrEqualTo(TimeSpan.FromSeconds(4)).And.BeLessThanOrEqualTo(TimeSpan.FromSeconds(4) + late);
        (deadLettered - failures[2]).Should().BeGreaterThanOrEqualTo(TimeSpan.FromSeconds(8)).And.BeLessThanOrEqualTo(TimeSpan.FromSeconds(8) + late);
        run.Lines.Count(line => line.Contains("Moved to DLQ")).Should().Be(1);
        run.Lines.Should().NotContain(line => line.Contains("Message saved ("));
    }

    [SkippableFact]
    public async Task On_a_real_cluster_messages_arrive_too()
    {
        Skip.If(OperatingSystem.IsWindows(), NoBash);
        using var run = OnKafka();
        var url = await run.UrlAsync();

        await PostAsync(url, "clientB");
        await PostAsync(url, "clientA");
        await run.LineAsync("Message saved (");
        await run.LineAsync("Message ignored");
        run.Stop();

        (await run.EndAsync()).Should().Be(0);
        run.Lines.Should().NotContain(line => line.Contains("embedded broker runs"));
    }

    [SkippableTheory]
    [InlineData("client-a")]
    [InlineData("client-b")]
    public async Task In_MongoDB_each_service_is_a_process_and_when_one_dies_the_other_is_stopped_and_the_run_fails(string name)
    {
        Skip.If(OperatingSystem.IsWindows(), NoBash);
        using var mongo = new TestMongo();
        using var run = new SampleRun(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["MONGODB_URI"] = mongo.Uri }, [.. Built, "client-to-client", .. AnyPorts]);
        await PostAsync(await run.UrlAsync(), "clientB");
        await run.LineAsync("Message saved to MongoDB");
        await run.LineAsync("Message saved (");
        var services = run.Services();
        services.Should().HaveCount(2);
        mongo.Read().Select(entry => entry.SavedBy).Order().Should().Equal("clientA", "clientB");

        SampleRun.Kill(services[name]);

        (await run.EndAsync()).Should().Be(1);
        run.Lines.Should().Contain(line => line.Contains($"{name} ended by itself", StringComparison.Ordinal));
        run.Services().Should().BeEmpty();
    }

    [SkippableFact]
    public async Task A_port_that_is_taken_ends_the_run_with_the_reason()
    {
        Skip.If(OperatingSystem.IsWindows(), NoBash);
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        using var run = new SampleRun(Embedded, [.. Built, "client-to-client", $"--urls=http://localhost:{port}"]);

        (await run.EndAsync()).Should().Be(1);
        run.Lines.Should().Contain(line => line.Contains($"Port {port} is taken"));
    }

    [SkippableFact]
    public async Task What_it_says_to_try_works_when_pasted()
    {
        Skip.If(OperatingSystem.IsWindows(), NoBash);
        using var run = new SampleRun(Embedded, [.. Built, "client-to-client", .. AnyPorts]);
        await run.LineAsync("5. Whether all is well");
        await run.LineAsync("/health; ");
        var commands = run.Lines.Where(line => line.StartsWith("   curl ", StringComparison.Ordinal)).ToList();
        commands.Should().HaveCount(8);

        (await PastedCommand.RunAsync(commands[0])).Should().Contain("\"message\":\"Test success\"");
        (await PastedCommand.RunAsync(commands[1])).Should().Contain("\"to\":\"clientA\"");
        (await PastedCommand.RunAsync(commands[2])).Should().Be("true");
        (await PastedCommand.RunAsync(commands[3])).Should().Contain("\"message\":\"Test retry\"");
        await run.LineAsync("Moved to DLQ");
        (await PastedCommand.RunAsync(commands[4])).Should().Contain("\"message\":\"Test retry\"").And.Contain("\"saved\":false");
        (await PastedCommand.RunAsync(commands[5])).Should().Be("false");
        (await PastedCommand.RunAsync(commands[6])).Should().Contain("\"topic\":\"client-messages-retry\"");
        await TwoServices.UntilAsync(() => run.Lines.Count(line => line.Contains("Message saved (")) == 2, "the redriven message is saved");
        (await PastedCommand.RunAsync(commands[7])).Should().Contain("\"status\":\"healthy\"").And.NotContain("unhealthy");
        run.Stop();

        (await run.EndAsync()).Should().Be(0);
    }

    // With names of its own, because others use the cluster too.
    private static SampleRun OnKafka(params string[] settings)
    {
        using var broker = new KafkaSampleBroker();
        return new SampleRun(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["KAFKA_BROKERS"] = broker.Brokers },
            [.. Built, "client-to-client", .. AnyPorts, .. broker.Settings, .. settings]);
    }

    private static async Task PostAsync(Uri url, string to)
    {
        using var http = new HttpClient();
        using var content = new StringContent($$"""{"from":"clientA","to":"{{to}}","message":"Test"}""", Encoding.UTF8, "application/json");
        (await http.PostAsync(url, content)).StatusCode.Should().Be(HttpStatusCode.Created);
    }

    [GeneratedRegex("Retry scheduled #(?<retry>[0-9]+): .* is due at (?<due>[^ ;]+)", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Scheduled();
}
