using System.Reflection;
using System.Text.RegularExpressions;

namespace Narad.Kafka.Tests;

/// <summary>docs/promises.md names the tests that carry each promise's number: those that exist, and all of them.</summary>
public sealed partial class PromisesTests
{
    private static readonly string[] Names = [.. Enumerable.Range(1, 18).Append(32).Select(number => $"S{number}")];

    public static TheoryData<string> Promises => [.. Names];

    [Theory]
    [MemberData(nameof(Promises))]
    public void The_page_names_each_test_of_a_promise_and_no_other(string promise)
    {
        var section = Regex.Match(Page(), $@"^### {promise}\. .*?(?=^##)", RegexOptions.Multiline | RegexOptions.Singleline, TimeSpan.FromSeconds(5));
        section.Success.Should().BeTrue("there is a section of {0}", promise);
        var named = TestName().Matches(section.Value).Select(match => match.Groups["test"].Value);
        named.Should().BeEquivalentTo(TestsOf(promise)).And.NotBeEmpty();
    }

    [Fact]
    public void Each_promise_names_a_defence_that_was_taken_away_and_the_test_that_saw_it()
    {
        var rows = Row().Matches(Page()).Select(match => (Promises: match.Groups["promise"].Captures.Select(promise => promise.Value), Test: match.Groups["test"].Value)).ToList();
        rows.Select(row => row.Test).Should().BeSubsetOf(Tests().Select(NameOf), "the tests exist");
        rows.SelectMany(row => row.Promises).Should().Contain(Names);
    }

    private static IEnumerable<string> TestsOf(string promise) =>
        Tests().Where(test => CustomAttributeData.GetCustomAttributes(test).Concat(CustomAttributeData.GetCustomAttributes(test.DeclaringType!)).Any(attribute =>
            attribute.AttributeType == typeof(TraitAttribute) && Equals(attribute.ConstructorArguments[0].Value, "Promise") && Equals(attribute.ConstructorArguments[1].Value, promise)))
        .Select(NameOf);

    private static IEnumerable<MethodInfo> Tests() =>
        typeof(PromisesTests).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Where(method => method.GetCustomAttributes<FactAttribute>().Any());

    private static string NameOf(MethodInfo test) => $"{test.DeclaringType!.Name.Split('`')[0]}.{test.Name}";

    private static string Page()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Narad.Kafka.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests run inside the repository.");
        }

        return File.ReadAllText(Path.Combine(folder, "docs", "promises.md"));
    }

    [GeneratedRegex(@"^- `(?<test>\w+\.\w+)`", RegexOptions.Multiline, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex TestName();

    [GeneratedRegex(@"^\| (?<promise>S\d+)(, (?<promise>S\d+))* \| `(?<test>[\w.]+)`", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex Row();
}
