using Narad.Kafka.Shared;

namespace Narad.Kafka.Packaging.Tests;

/// <summary>Every package, packed by <c>eng/pack.sh</c> into a temporary folder with a version that never was and never will be again.</summary>
public sealed class Packed : IAsyncLifetime
{
    private static readonly Dictionary<string, string> Unchanged = [];

    /// <summary>Temporary; removed at the end.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("narad-packaging-").FullName;

    public string Feed => Path.Combine(Folder, "feed");

    public string RepositoryUrl { get; } = "https://example.org/narad-kafka";

    public string Version { get; } = $"0.1.0-test.{DateTime.UtcNow.Ticks}";

    /// <summary>Why there is nothing to look at; null where there is.</summary>
    public string? Absence { get; private set; }

    public IReadOnlyList<string> Files { get; private set; } = [];

    public async Task InitializeAsync()
    {
        if (OperatingSystem.IsWindows())
        {
            Absence = "eng/pack.sh needs a Unix shell";
            return;
        }

        // The build before these tests ran the analyzers.
        await Command.RunAsync(
            RepositoryFolder.Root, Unchanged, "bash", "eng/pack.sh", Feed, $"-p:Version={Version}", $"-p:RepositoryUrl={RepositoryUrl}",
                "-p:RunAnalyzers=false");
        Files = [.. Directory.GetFiles(Feed, "*.nupkg").Order(StringComparer.Ordinal)];
    }

    public Task DisposeAsync()
    {
        Directory.Delete(Folder, recursive: true);
        return Task.CompletedTask;
    }
}
