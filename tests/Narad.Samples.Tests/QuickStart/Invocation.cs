using System.Text;
using System.Text.Json;
using global::QuickStart.Verification;
using global::QuickStart.Verification.Screen;
using Narad.Kafka;

namespace Narad.Samples.Tests.QuickStart;

/// <summary>The demo, run in this process against a fake service, and what it said.</summary>
internal sealed record Invocation(int ExitCode, string Output, string Error)
{
    public JsonElement Json => JsonDocument.Parse(Output.TrimEnd().Split('\n')[^1]).RootElement;

    public static Task<Invocation> OfAsync(FakeKafka kafka, string input, params string[] args) =>
        OfAsync(kafka, new MemoryStream(Encoding.UTF8.GetBytes(input)), CancellationToken.None, ["-", "--json", .. args]);

    public static Task<Invocation> OfAsync(FakeKafka kafka, Stream input, CancellationToken stop, params string[] args) =>
        OfAsync(kafka.With, input, WaitLimits.Default with { OthersQuiet = TimeSpan.FromMilliseconds(200) }, stop, args);

    public static async Task<Invocation> OfAsync(
        Func<KafkaOptions, IKafkaService> connect, Stream input, WaitLimits limits, CancellationToken stop, params string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        var terminal = new Terminal(input, output, error, Terminal.Plain(output), SharesError: false);
        var exitCode = await VerifiedRun.RunAsync(args, connect, terminal, stop, limits).WaitAsync(TimeSpan.FromSeconds(60), CancellationToken.None);
        return new Invocation(exitCode, output.ToString(), error.ToString());
    }

    public static string Events(int count, int users = 10) =>
        string.Concat(Enumerable.Range(1, count).Select(line => $"{{\"userId\":\"u{line % users}\",\"n\":{line}}}\n"));
}
