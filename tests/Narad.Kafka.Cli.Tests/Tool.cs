using System.Diagnostics;

namespace Narad.Kafka.Cli.Tests;

/// <summary>The built tool, as a process of its own in a folder of its own, without the variables of the test run.</summary>
internal sealed class Tool : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(90);

    public string Folder { get; } = Directory.CreateTempSubdirectory("narad-cli-").FullName;

    public Dictionary<string, string> Variables { get; } = new(StringComparer.Ordinal);

    public void Write(string file, string text) => File.WriteAllText(Path.Combine(Folder, file), text);

    public async Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(EnvFile).Assembly.Location, .. arguments])
        {
            WorkingDirectory = Folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("KAFKA_", StringComparison.OrdinalIgnoreCase)
            || name.EndsWith("NETCORE_ENVIRONMENT", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in Variables)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        using var deadline = new CancellationTokenSource(Timeout);
        var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
        var errors = process.StandardError.ReadToEndAsync(deadline.Token);
        try
        {
            await process.WaitForExitAsync(deadline.Token);
            return (process.ExitCode, await output, await errors);
        }
        catch (OperationCanceledException late)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"narad {string.Join(' ', arguments)} did not end within {Timeout}.", late);
        }
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
