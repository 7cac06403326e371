using System.Text.RegularExpressions;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests;

/// <summary>docs/promises.md names the tests that carry each promise's number: those that exist, and all of them.</summary>
public sealed partial class PromisesTests
{
    private static readonly string[] Names = [.. Enumerable.Range(1, 33).Select(number => $"S{number}")];

    public static TheoryData<string> Promises => [.. Names];

    [Theory]
    [MemberData(nameof(Promises))]
    public void The_page_names_each_test_of_a_promise_and_no_other(string promise)
    {
        var section = Regex.Match(Page(), $@"^### {promise}\. .*?(?=^##|\z)", RegexOptions.Multiline | RegexOptions.Singleline, TimeSpan.FromSeconds(5));
        section.Success.Should().BeTrue("there is a section of {0}", promise);
        var named = TestName().Matches(section.Value).Select(match => match.Groups["test"].Value);
        named.Should().BeEquivalentTo(TestTraits.Of("Promise").Where(test => test.Value == promise).Select(test => test.Test)).And.NotBeEmpty();
    }

    private static string Page() => File.ReadAllText(Path.Combine(RepositoryFolder.Root, "docs", "promises.md"));

    [GeneratedRegex(@"^- `(?<test>\w+\.\w+)`", RegexOptions.Multiline, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex TestName();
}
