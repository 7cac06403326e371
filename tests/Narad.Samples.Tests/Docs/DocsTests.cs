using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Narad.Kafka;

namespace Narad.Samples.Tests.Docs;

/// <summary>
/// The pages show what <see cref="Snippets"/> and <see cref="ProviderSnippets"/> compile, their links lead somewhere, and their table of settings is whole.
/// </summary>
public sealed partial class DocsTests
{
    internal static readonly string Root = FindRoot();

    public static TheoryData<string> Pages()
    {
        var pages = new TheoryData<string>();
        foreach (var page in PageNames())
        {
            pages.Add(page);
        }

        return pages;
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Code_on_a_page_is_code_that_compiles(string page)
    {
        var regions = Regions();
        var text = Read(page);
        foreach (Match block in CSharpBlock().Matches(text))
        {
            if (block.Groups["file"] is { Success: true } file)
            {
                block.Groups["code"].Value.TrimEnd().Should().Be(Read(file.Value).TrimEnd(), "{0} shows the file {1}", page, file.Value);
                continue;
            }

            var name = block.Groups["name"].Value;
            name.Should().NotBeEmpty("each C# block of {0} names its snippet, and this one does not: {1}", page, block.Value);
            regions.Should().ContainKey(name, "{0} shows it", page);
            block.Groups["code"].Value.TrimEnd().Should().Be(regions[name], "snippet '{0}' in {1} is the compiled one", name, page);
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Links_lead_to_files_that_exist(string page)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Root, page))!;
        var links = Link().Matches(Read(page)).Select(link => link.Groups["target"].Value)
            .Where(target => !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith('#'));
        links.Where(target => !Path.Exists(Path.Combine(folder, target.Split('#')[0]))).Should().BeEmpty();
    }

    [Fact]
    public void The_table_of_contents_and_llms_txt_name_every_page()
    {
        var pages = PageNames().Where(page => page.StartsWith("docs/", StringComparison.Ordinal) && page is not "docs/index.md").ToList();

        pages.Where(page => !Read("docs/toc.yml").Contains($"href: {page["docs/".Length..]} }}", StringComparison.Ordinal)).Should()
            .BeEmpty("docs/toc.yml has all");
        pages.Where(page => !Read("llms.txt").Contains($"({page})", StringComparison.Ordinal)).Should().BeEmpty("llms.txt has all");
    }

    [Fact]
    public void Every_snippet_is_shown_somewhere()
    {
        var shown = PageNames().SelectMany(page => CSharpBlock().Matches(Read(page)).Select(block => block.Groups["name"].Value));
        Regions().Keys.Where(name => !name.StartsWith("example-", StringComparison.Ordinal)).Except(shown).Should().BeEmpty();
    }

    [Fact]
    public void The_readmes_appsettings_bind_without_an_error()
    {
        var json = AppSettings().Match(Read("README.md"));
        json.Success.Should().BeTrue();
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json.Groups["json"].Value));
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Configuration.AddJsonStream(stream);
        builder.Services.AddNaradKafka(builder.Configuration);
        using var host = builder.Build();

        var options = host.Services.GetRequiredService<IOptions<KafkaOptions>>().Value;   // validated, so unknown keys would throw

        options.Brokers.Should().Be("kafka-1:9093,kafka-2:9093");
        options.Sasl.Mechanism.Should().Be("scram-sha-512");
        options.ShutdownTimeout.Should().Be(TimeSpan.FromSeconds(20));
        options.Parallelism.Should().Be(64);
        options.TopicNames["orders"].Should().Be("shop-orders-v2");
        options.ClientProperties["client.rack"].Should().Be("eu-central-1a");
    }

    [Fact]
    public void The_mechanisms_on_the_configuration_page_are_those_that_the_error_offers()
    {
        var options = new KafkaOptions { Mode = KafkaMode.Kafka, Sasl = { Mechanism = "md5" } };
        var fault = new KafkaService(options).Invoking(service => service.Init()).Should().Throw<KafkaConfigurationException>().Which.Errors.Single();
        var offered = fault[(fault.IndexOf("one of ", StringComparison.Ordinal) + "one of ".Length)..].TrimEnd('.').Split(", ");
        var row = Read("docs/configuration.md").Split('\n').Single(line => line.StartsWith("| `Sasl:Mechanism` |", StringComparison.Ordinal)).Split('|')[4]
            .Split(';')[0];

        Mechanism().Matches(row).Select(name => name.Groups["name"].Value).Should().BeEquivalentTo(offered);
    }

    private static IEnumerable<string> PageNames() =>
        Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md", SearchOption.AllDirectories)
            .Where(page => !page.Contains("_site", StringComparison.Ordinal)).Append(Path.Combine(Root, "README.md"))
            .Select(page => Path.GetRelativePath(Root, page).Replace('\\', '/')).Order(StringComparer.Ordinal);

    internal static Dictionary<string, string> Regions()
    {
        var source = string.Concat(
            Directory.EnumerateFiles(Path.Combine(Root, "tests", "Narad.Samples.Tests", "Docs"), "*Snippets.cs").Select(File.ReadAllText))
            .ReplaceLineEndings("\n");
        var regions = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Match region in SnippetRegion().Matches(source))
        {
            var lines = region.Groups["code"].Value.TrimEnd().Split('\n');
            var indent = lines.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart().Length);
            regions.Add(region.Groups["name"].Value, string.Join('\n', lines.Select(line => line.Length == 0 ? line : line[indent..])));
        }

        regions.Should().NotBeEmpty();
        return regions;
    }

    private static string Read(string page) => File.ReadAllText(Path.Combine(Root, page)).ReplaceLineEndings("\n");

    private static string FindRoot([CallerFilePath] string here = "")
    {
        // A deterministic build hides the source's folder, so the search starts where the program runs.
        var start = File.Exists(here) ? Path.GetDirectoryName(here)! : AppContext.BaseDirectory;
        for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Narad.Kafka.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"Narad.Kafka.sln is in no folder above {start}.");
    }

    [GeneratedRegex(@"(?:<!-- (?:snippet: (?<name>[\w-]+)|file: (?<file>[\w./-]+)) -->\n)?```csharp\n(?<code>.*?)```", RegexOptions.Singleline,
        matchTimeoutMilliseconds: 10_000)]
    private static partial Regex CSharpBlock();

    [GeneratedRegex(@"// snippet: (?<name>[\w-]+)\n(?<code>.*?)\n[ ]*// end\n", RegexOptions.Singleline, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex SnippetRegion();

    [GeneratedRegex(@"<!-- appsettings -->\n```json\n(?<json>.*?)```", RegexOptions.Singleline, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex AppSettings();

    [GeneratedRegex("`(?<name>plain|scram[a-z0-9-]+|oauthbearer|aws[a-z_]+|gssapi|[a-z]+-[a-z0-9-]+)`", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Mechanism();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Link();
}
