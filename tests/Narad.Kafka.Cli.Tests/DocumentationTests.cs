using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Narad.Kafka.Cli.Tests;

/// <summary>docs/cli.md shows the help that the tool prints, for every command.</summary>
public sealed partial class DocumentationTests : IDisposable
{
    private readonly Tool _tool = new();

    public void Dispose() => _tool.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("doctor")]
    [InlineData("schema check")]
    public async Task The_page_shows_the_help_of_the_tool(string command)
    {
        var shown = Help().Matches(Page()).Single(help => help.Groups["command"].Value == command).Groups["text"].Value;

        var (exitCode, output, _) = await _tool.RunAsync([.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);

        Lines(shown).Should().Equal(Lines(output));
        exitCode.Should().Be(0);
    }

    [Fact]
    public async Task The_page_has_every_command()
    {
        var (_, output, _) = await _tool.RunAsync("--help");
        var commands = output[output.IndexOf("Commands:", StringComparison.Ordinal)..].Split('\n').Skip(1)
            .Select(line => line.Trim().Split(' ')[0]).Where(name => name.Length > 0).ToList();

        commands.Should().HaveCountGreaterThan(1);
        commands.Where(name => !Page().Contains($"\n## narad {name}", StringComparison.Ordinal)).Should().BeEmpty();
    }

    private static List<string> Lines(string text) => [.. text.Split('\n').Select(line => line.TrimEnd()).Where(line => line.Length > 0)];

    private static string Page([CallerFilePath] string here = "")
    {
        // A deterministic build hides the source's folder, so the search starts where the program runs.
        var start = File.Exists(here) ? Path.GetDirectoryName(here)! : AppContext.BaseDirectory;
        for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "docs", "cli.md")))
            {
                return File.ReadAllText(Path.Combine(folder.FullName, "docs", "cli.md")).ReplaceLineEndings("\n");
            }
        }

        throw new InvalidOperationException("docs/cli.md is in no folder above this one.");
    }

    [GeneratedRegex(@"<!-- help: ?(?<command>[a-z ]*?) ?-->\n```text\n(?<text>.*?)```", RegexOptions.Singleline, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Help();
}
