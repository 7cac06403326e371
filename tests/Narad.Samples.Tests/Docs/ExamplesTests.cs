using System.Net;
using System.Text.RegularExpressions;

namespace Narad.Samples.Tests.Docs;

/// <summary>
/// The examples in the XML documentation of src/ show what <see cref="ExampleSnippets"/> compiles, and the members that are used most have one.
/// </summary>
public sealed partial class ExamplesTests
{
    private static readonly string[] MostUsed =
    [
        "class KafkaService", "FromEnvironment", "class KafkaOptions", "ConnectProducerAsync", "ConnectConsumerAsync", "SubscribeAsync", "SubscribeBatchAsync",
        "DisconnectAsync", "interface IKafkaProducer", "SendAsync", "SendManyAsync", "SendTombstoneAsync", "AddNaradKafka", "class SubscriptionOptions",
        "AddSubscription", "AddBatchSubscription", "class MessageContext", "ResumeAsync", "SkipFailedMessageAsync", "interface IDeadLetters",
        "interface IKafkaTopics", "class RetryLaterException", "class DeadLetterException", "class EmbeddedKafka", "class KafkaHarness",
    ];

    [Fact]
    public void Code_in_an_example_is_code_that_compiles()
    {
        var compiled = DocsTests.Regions();
        var examples = Examples();

        examples.Where(example => !compiled.ContainsValue(example.Code)).Should().BeEmpty("each is a region of ExampleSnippets.cs, line by line");
        compiled.Where(region => region.Key.StartsWith("example-", StringComparison.Ordinal)).Select(region => region.Value)
            .Except(examples.Select(example => example.Code)).Should().BeEmpty("each region is shown by a member");
    }

    [Fact]
    public void The_members_that_are_used_most_have_an_example()
    {
        var members = Examples().Select(example => example.Member).ToList();

        MostUsed.Where(name => !members.Exists(member => member.Contains(name, StringComparison.Ordinal))).Should().BeEmpty();
    }

    private static List<(string Member, string Code)> Examples() =>
        [.. Directory.EnumerateFiles(Path.Combine(DocsTests.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .SelectMany(file => Example().Matches(File.ReadAllText(file).ReplaceLineEndings("\n")))
            .Select(example => (example.Groups["member"].Value, Code(example.Groups["code"].Value)))];

    private static string Code(string comment) => WebUtility.HtmlDecode(Slashes().Replace(comment, "")).TrimEnd();

    // The member is the first line behind the comment that is no attribute.
    [GeneratedRegex(@"/// <example>\n *///\ <code>\n(?<code>.*?) */// </code>\n *///\ </example>\n(?: *///[^\n]*\n| *\[[^\n]*\]\n)*(?<member>[^\n]*)",
        RegexOptions.Singleline, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Example();

    [GeneratedRegex("^ */// ?", RegexOptions.Multiline, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Slashes();
}
