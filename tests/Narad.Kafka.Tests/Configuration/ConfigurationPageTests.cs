using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.Extensions.Configuration;
using Narad.Kafka.Configuration;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>
/// docs/configuration.md is what the code is: its tables are made of the tables of settings, the defaults and the XML docs (written anew with
/// <c>NARAD_TEST_APPROVE_API=1</c>), and its complete file binds.
/// </summary>
public sealed partial class ConfigurationPageTests
{
    private static readonly string Page = Path.Combine(RepositoryFolder.Root, "docs", "configuration.md");

    [Fact]
    public void The_page_lists_every_setting_with_its_default_and_what_it_does()
    {
        var documentation = XDocument.Load(Path.ChangeExtension(typeof(KafkaOptions).Assembly.Location, ".xml")).Descendants("member").ToDictionary(
            static member => member.Attribute("name")!.Value, static member => Text(member.Element("summary")), StringComparer.Ordinal);
        var page = File.ReadAllText(Page);
        var made = Tables()
            .Replace(page, match => $"<!-- settings: {match.Groups["name"].Value} -->\n{Table(match.Groups["name"].Value, documentation)}<!-- end -->");
        if (Environment.GetEnvironmentVariable("NARAD_TEST_APPROVE_API") == "1")
        {
            File.WriteAllText(Page, made);
        }

        File.ReadAllText(Page).Should().Be(made);
    }

    [Fact]
    [Trait("Promise", "S31")]
    public void A_complete_appsettings_file_binds_every_setting()
    {
        var json = EveryKey().Match(File.ReadAllText(Page)).Groups["json"].Value;
        var configuration = new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build();
        var options = new KafkaOptions();

        KafkaConfigurationSection.Apply(options, configuration);
        var subscription = SubscriptionSection.Build(options.Subscriptions, "orders", configure: null, out var overruled);

        options.BindingErrors.Concat(subscription.BindingErrors).Concat(overruled).Should().BeEmpty();
        options.TopicNames.Should().Contain("orders", "shop-orders-v2");
        options.Topics.Should().ContainSingle().Which.Should().BeEquivalentTo(
            new TopicSpec("orders", 12, 3, new Dictionary<string, string> { ["segment.bytes"] = "104857600" })
            {
                Retention = TimeSpan.FromDays(7),
                CleanupPolicy = TopicCleanupPolicy.Delete,
            });
        options.ClientProperties.Should().Contain("client.rack", "eu-central-1a");
        foreach (var name in KafkaConfigurationSection.Names)
        {
            Check($"Kafka:{name}", Walk(options, name).Value, Walk(new KafkaOptions { Sasl = { Oidc = new() } }, name).Value);
        }

        foreach (var name in SubscriptionSection.Names)
        {
            Walk(subscription, name).Value.Should().Be(SubscriptionSection.ValueOf(subscription, name), "the table reads {0}", name);
            Check($"Kafka:Subscriptions:orders:{name}", Walk(subscription, name).Value, Walk(new SubscriptionOptions(), name).Value);
        }

        void Check(string path, object? bound, object? standard)
        {
            Convert.ToString(bound, CultureInfo.InvariantCulture).Should().BeEquivalentTo(configuration[path], "{0} is written and bound", path);
            bound.Should().NotBe(standard, "{0} shows that it binds", path);
        }
    }

    private static string Table(string name, Dictionary<string, string> documentation)
    {
        var table = new StringBuilder("| Setting | Variable | Default | What it does |\n|---|---|---|---|\n");
        var (names, options) = name == "service" ? (KafkaConfigurationSection.Names, (object)new KafkaOptions { Sasl = { Oidc = new() } })
            : (SubscriptionSection.Names, new SubscriptionOptions());
        foreach (var setting in names)
        {
            var (property, value) = Walk(options, setting);
            var variable = name == "service" && SettingNames.VariableOf(setting) is { } known ? $"`{known}`" : "";
            var standard = Convert.ToString(value, CultureInfo.InvariantCulture) is { Length: > 0 } text ? $"`{text}`" : "";
            table.Append(CultureInfo.InvariantCulture,
                $"| `{setting}` | {variable} | {standard} | {documentation[$"P:{property.DeclaringType!.FullName}.{property.Name}"]} |\n");
        }

        return table.ToString();
    }

    private static (PropertyInfo Property, object? Value) Walk(object options, string setting)
    {
        var parts = setting.Split(':');
        foreach (var part in parts[..^1])
        {
            options = options.GetType().GetProperty(part)!.GetValue(options)!;
        }

        var property = options.GetType().GetProperty(parts[^1])!;
        return (property, property.GetValue(options));
    }

    // "<see cref="P:Narad.Kafka.KafkaOptions.Mode"/>" and "<c>x</c>" as code, the rest as it is.
    private static string Text(XElement? summary) => summary is null ? "" : Spaces().Replace(string.Concat(summary.Nodes().Select(static node => node switch
    {
        XElement { Name.LocalName: "see" or "seealso" } see =>
            $"`{(see.Attribute("cref")?.Value.Split('(')[0].Split('.') is { Length: > 1 } path ? $"{path[^2]}.{path[^1]}" : see.Value)}`",
        XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
        XElement other => other.Value,
        _ => node.ToString(),
    })), " ").Trim().Replace("|", "\\|", StringComparison.Ordinal).Replace("`Kafka.", "`", StringComparison.Ordinal);

    [GeneratedRegex("<!-- settings: (?<name>\\w+) -->\n.*?<!-- end -->", RegexOptions.Singleline, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Tables();

    [GeneratedRegex("<!-- every key -->\n```json\n(?<json>.*?)```", RegexOptions.Singleline, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex EveryKey();

    [GeneratedRegex("\\s+", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Spaces();
}
