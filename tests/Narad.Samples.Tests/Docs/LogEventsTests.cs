using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Narad.Kafka;
using Narad.Kafka.Mongo;
using Narad.Kafka.SchemaRegistry;

namespace Narad.Samples.Tests.Docs;

/// <summary>docs/log-events.md lists the events that the packages log.</summary>
public sealed partial class LogEventsTests
{
    [Fact]
    public void The_page_lists_every_event_with_its_level_and_message()
    {
        var logged = Logged();

        logged.Should().HaveCountGreaterThan(100).And.OnlyHaveUniqueItems(log => log.Id);
        Listed().Select(row => (row.Id, row.Level, row.Message)).Should().BeEquivalentTo(logged);
    }

    [Fact]
    public void Every_warning_and_error_on_the_page_says_what_to_do() =>
        Listed().Where(row => row.Level is "Warning" or "Error" or "Critical" && row.Action.Length == 0).Should().BeEmpty();

    private static List<(int Id, string Level, string Message)> Logged()
    {
        Assembly[] assemblies = [typeof(KafkaService).Assembly, typeof(MongoOptions).Assembly, typeof(SchemaRegistryOptions).Assembly];
        return [.. assemblies.SelectMany(assembly => assembly.GetTypes())
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>()
            .Select(log => (log.EventId, log.Level is LogLevel.None ? "varies" : log.Level.ToString(), log.Message))];
    }

    private static List<(int Id, string Level, string Message, string Action)> Listed() =>
        [.. Row().Matches(File.ReadAllText(Path.Combine(DocsTests.Root, "docs", "log-events.md")).ReplaceLineEndings("\n"))
            .Select(row => (int.Parse(row.Groups["id"].Value, System.Globalization.CultureInfo.InvariantCulture), row.Groups["level"].Value,
                row.Groups["message"].Value, row.Groups["action"].Value.Trim()))];

    [GeneratedRegex(@"^\| (?<id>\d+) \| (?<level>\w+) \| `(?<message>[^\n]*?)` \|(?<action>[^\n|]*)\|$", RegexOptions.Multiline,
        matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Row();
}
