using System.Text.RegularExpressions;

namespace Narad.Kafka.Shared;

/// <summary>docs/promises.md, which names the tests that carry a promise's number: those that exist in this project, and all of them.</summary>
internal static partial class PromisesPage
{
    public static void NamesTheTestsOf(string promise)
    {
        var page = File.ReadAllText(Path.Combine(RepositoryFolder.Root, "docs", "promises.md"));
        var section = Regex.Match(page, $@"^### {promise}\. .*?(?=^##|\z)", RegexOptions.Multiline | RegexOptions.Singleline, TimeSpan.FromSeconds(5));
        section.Success.Should().BeTrue("there is a section of {0}", promise);
        var named = TestName().Matches(section.Value).Select(match => match.Groups["test"].Value);
        named.Should().BeEquivalentTo(TestTraits.Of("Promise").Where(test => test.Value == promise).Select(test => test.Test).Distinct()).And.NotBeEmpty();
    }

    [GeneratedRegex(@"^- `(?<test>\w+\.\w+)`", RegexOptions.Multiline, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex TestName();
}
