using System.Text.RegularExpressions;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests;

/// <summary>That docs/traps.md names the tests that carry each trap's name: those that exist, and all of them.</summary>
public sealed partial class TrapsTests
{
    [Fact]
    public void The_page_names_each_test_of_a_trap_and_no_other()
    {
        var page = Page();
        var traits = TestTraits.Of("Trap").ToLookup(test => test.Value, test => test.Test, StringComparer.Ordinal);
        var sections = Section().Matches(page).ToDictionary(match => match.Groups["trap"].Value, match => match.Value, StringComparer.Ordinal);
        sections.Keys.Should().BeEquivalentTo(traits.Select(trap => trap.Key));
        foreach (var (trap, section) in sections)
        {
            TestName().Matches(section).Select(match => match.Groups["test"].Value).Should()
                .BeEquivalentTo(traits[trap].Distinct(StringComparer.Ordinal), "they are the tests of {0}", trap);
        }
    }

    [Fact]
    public void A_defence_that_was_taken_away_names_a_trap_and_its_test()
    {
        var traits = TestTraits.Of("Trap").Select(test => $"{test.Value} {test.Test}").ToList();
        var rows = Row().Matches(Page()).Select(match => $"{match.Groups["trap"].Value} {match.Groups["test"].Value}");
        rows.Should().NotBeEmpty().And.BeSubsetOf(traits);
    }

    private static string Page() => File.ReadAllText(Path.Combine(RepositoryFolder.Root, "docs", "traps.md"));

    [GeneratedRegex(@"^### `(?<trap>[a-z0-9-]+)`.*?(?=^##|\z)", RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 5_000)]
    private static partial Regex Section();

    [GeneratedRegex(@"^- `(?<test>\w+\.\w+)`", RegexOptions.Multiline, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex TestName();

    [GeneratedRegex(@"^\| `(?<trap>[a-z0-9-]+)` \| `(?<test>[\w.]+)`", RegexOptions.Multiline, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex Row();
}
