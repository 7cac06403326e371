using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Connecting;

/// <summary>The tables of docs/troubleshooting.md; each stands behind a comment with its name.</summary>
internal static class TroubleshootingPage
{
    /// <summary>The cells of a table's rows, without back quotes; its head is not among them.</summary>
    public static IReadOnlyList<string[]> Table(string name)
    {
        var lines = File.ReadAllLines(Path.Combine(RepositoryFolder.Root, "docs", "troubleshooting.md"));
        var start = Array.IndexOf(lines, $"<!-- table: {name} -->");
        start.Should().BeGreaterThanOrEqualTo(0, "the page has that table");
        return [.. lines.Skip(start + 1).SkipWhile(line => !line.StartsWith('|')).TakeWhile(line => line.StartsWith('|')).Skip(2)
            .Select(line => line.Trim('|').Split('|').Select(cell => cell.Replace("`", "", StringComparison.Ordinal).Trim()).ToArray())];
    }
}
