using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using MongoDB.Driver;
using Narad.Samples.Tests.ClientToClient;
using Narad.Samples.Tests.SharedParts;

namespace Narad.Samples.Tests.MessageStore;

/// <summary>The sample as people run it: <c>samples/run message-store</c>.</summary>
public sealed partial class SampleRunTests
{
    private const string NoBash = "samples/run is a bash script.";

    // What was built with these tests.
    private static readonly string[] Built = ["--no-build", "--configuration", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, "message-store"];
    private static readonly string[] AnyPorts = ["--urls=http://127.0.0.1:0", "--urls:consumer=http://127.0.0.1:0"];

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_it_says_to_try_works_when_pasted_and_it_stops_cleanly(bool inMongo)
    {
        Skip.If(OperatingSystem.IsWindows(), NoBash);
        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["MONGODB_URI"] = "" };
        if (inMongo)
        {
            var uri = Environment.GetEnvironmentVariable("NARAD_TEST_MONGODB");
            Skip.If(string.IsNullOrEmpty(uri), "NARAD_TEST_MONGODB names no MongoDB server.");
            environment["MONGODB_URI"] = new MongoUrlBuilder(uri) { DatabaseName = $"narad-test-store-{Guid.CreateVersion7():n}" }.ToString();
        }

        using var run = new SampleRun(environment, [.. Built, .. AnyPorts]);
        await run.LineAsync("5. How long");
        await run.LineAsync("/retention -H");

        var said = new List<string>();
        foreach (var line in run.Lines.Where(static line => line.StartsWith("   curl ", StringComparison.Ordinal)).ToList())
        {
            said.Add(await PastedCommand.RunAsync(line));
        }

        run.Stop();
        (await run.EndAsync()).Should().Be(0);
        said[0].Should().Contain("\"text\":\"your message\"");
        said[1].Should().StartWith("[{").And.Contain("your message");
        said[2].Should().Contain("\"errors\":{\"text\":");
        said[3].Should().Contain("\"status\":\"healthy\"").And.Contain("\"status\":\"connected\",\"clientId\":\"message-store-api\",\"brokers\":[");
        said[4].Should().Contain("\"topic\":\"messages\"").And.Contain("501");
        var saved = inMongo ? "saved to MongoDB" : "saved to memory";
        run.Lines.Should().Contain(line => line.StartsWith("api│ ", StringComparison.Ordinal) && line.Contains(saved));
        run.Lines.Should().Contain(line => line.StartsWith("consumer│ ", StringComparison.Ordinal));
        run.Lines.Should().NotContain(line => line.Contains('\e'), "it is not shown on a terminal").And.NotContain(line => BadLine().IsMatch(line));
    }

    [SkippableFact]
    public async Task A_port_that_is_taken_ends_the_run_and_says_which_and_what_to_do()
    {
        Skip.If(OperatingSystem.IsWindows(), NoBash);
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        using var run = new SampleRun(new Dictionary<string, string>(StringComparer.Ordinal), [.. Built, $"--urls=http://localhost:{port}"]);

        (await run.EndAsync()).Should().Be(1);
        run.Lines.Should().Contain(line => line.Contains($"Port {port} is taken") && line.Contains("--urls:api=http://localhost:"));
        run.Lines.Should().NotContain(line => line.Contains("   at "));
    }

    // A slow machine is warned about.
    [GeneratedRegex("(fail|crit): ", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex BadLine();
}
