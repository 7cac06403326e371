using Narad.Samples.Tests.ClientToClient;
using Narad.Samples.Tests.SharedParts;

namespace Narad.Samples.Tests.Notifications;

/// <summary>The sample as people run it: <c>samples/run notifications</c>.</summary>
public sealed class SampleRunTests
{
    // What was built with these tests.
    private static readonly string[] Built =
        ["--no-build", "--configuration", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, "notifications", "--urls=http://127.0.0.1:0"];

    [SkippableFact]
    public async Task What_it_says_to_try_works_when_pasted_and_it_stops_cleanly()
    {
        Skip.If(OperatingSystem.IsWindows(), "samples/run is a bash script.");
        using var run = new SampleRun(new Dictionary<string, string>(StringComparer.Ordinal) { ["MONGODB_URI"] = "" }, Built);
        await run.LineAsync("5. Whether all is well");
        await run.LineAsync("/health");

        var commands = run.Lines.Where(static line =>
            line.StartsWith("   curl ", StringComparison.Ordinal) || line.StartsWith("   dotnet ", StringComparison.Ordinal));
        var said = new List<string>();
        foreach (var command in commands.ToList())
        {
            said.Add(await PastedCommand.RunAsync(command.Replace("--rate=2", "--rate=0")));   // not as slowly
        }

        run.Stop();
        (await run.EndAsync()).Should().Be(0);
        said[0].Should().Contain("\"userId\":\"user1\"");
        said[1].Should().StartWith("{\"items\":[");
        said[2].Should().StartWith("{\"changed\":");
        said[3].Should().Contain("20 sent, 0 in flight, 0 refused");
        said[4].Should().Contain("\"status\":\"healthy\"");
    }
}
