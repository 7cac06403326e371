using System.Text;
using System.Text.RegularExpressions;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Narad.Kafka.Configuration;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>Each environment block and each configuration block of docs/providers/, as it stands there, comes to the properties that stand below it.</summary>
public sealed partial class ProviderPagesTests
{
    // The pages name files that are nowhere, and tokens that other packages make.
    private static readonly string[] Expected = ["no such file", "nothing here makes tokens", "nothing here makes the tokens of AWS IAM"];

    public static TheoryData<string> Ways => [.. Blocks("environment").Keys];

    [Theory]
    [MemberData(nameof(Ways))]
    [Trait("Promise", "S28")]
    public void A_pages_environment_block_comes_to_what_the_page_says(string way) => Check(way, FromEnvironment(Blocks("environment")[way]));

    [Theory]
    [MemberData(nameof(Ways))]
    [Trait("Promise", "S28")]
    public void A_pages_configuration_block_comes_to_what_the_page_says(string way) => Check(way, FromJson(Blocks("configuration")[way]));

    [Fact]
    public void Every_way_in_has_all_of_its_blocks()
    {
        var ways = Blocks("environment").Keys;

        ways.Should().HaveCountGreaterThan(10);
        Blocks("configuration").Keys.Should().BeEquivalentTo(ways);
        Blocks("properties").Keys.Should().BeEquivalentTo(ways);
    }

    private static void Check(string way, KafkaOptions options)
    {
        var settings = new ClientSettings(options, options.Brokers, embedded: false);
        var properties = Blocks("properties")[way].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (var client in new ClientConfig[] { settings.Producer(), settings.Consumer("group"), settings.Reader("group"), settings.Admin() })
        {
            var given = client.ToDictionary(StringComparer.Ordinal);
            properties.Where(property => given.GetValueOrDefault(property.Split('=')[0]) != property[(property.IndexOf('=', StringComparison.Ordinal) + 1)..])
                .Should().BeEmpty();
            given.Keys.Where(ClientProperties.IsSecurity).Should()
                .BeSubsetOf(properties.Select(property => property.Split('=')[0]), "the page names all of them");
        }

        options.BindingErrors.Should().BeEmpty();
        KafkaOptionsValidator.Check(options, "Production").Errors.Where(error => !Array.Exists(Expected, error.Contains)).Should().BeEmpty();
    }

    // KAFKA_* as the library reads it, Kafka__* as a host does.
    private static KafkaOptions FromEnvironment(string block)
    {
        var variables = block.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('=', 2))
            .ToDictionary(variable => variable[0], variable => variable[1]);
        var options = new KafkaOptions();
        KafkaEnvironment.Apply(options, variables);
        KafkaConfigurationSection.Apply(options, new ConfigurationBuilder().AddInMemoryCollection(
            variables.Select(variable => KeyValuePair.Create(variable.Key.Replace("__", ":"), (string?)variable.Value))).Build());
        return options;
    }

    private static KafkaOptions FromJson(string block)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(block));
        var options = new KafkaOptions();
        KafkaConfigurationSection.Apply(options, new ConfigurationBuilder().AddJsonStream(stream).Build());
        return options;
    }

    private static Dictionary<string, string> Blocks(string kind) =>
        Directory.EnumerateFiles(Path.Combine(RepositoryFolder.Root, "docs", "providers"), "*.md")
            .SelectMany(page => Block().Matches(File.ReadAllText(page).ReplaceLineEndings("\n")))
            .Where(match => match.Groups["kind"].Value == kind).ToDictionary(match => match.Groups["way"].Value, match => match.Groups["text"].Value);

    [GeneratedRegex(@"<!-- (?<kind>environment|configuration|properties): (?<way>[a-z-]+) -->\n```\w+\n(?<text>.*?)```", RegexOptions.Singleline,
        matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Block();
}
