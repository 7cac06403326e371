using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Narad.Kafka;

namespace Narad.Samples.Tests.Docs;

/// <summary>The code block of each way in on docs/providers/ comes to the same settings as the configuration block above it.</summary>
public sealed class ProviderPagesTests
{
    private static readonly Dictionary<string, Action<HostApplicationBuilder>> Code = new(StringComparer.Ordinal)
    {
        ["local"] = ProviderSnippets.Local,
        ["confluent-cloud"] = builder => ProviderSnippets.ConfluentCloud(builder, "your_api_key", "your_api_secret"),
        ["confluent-cloud-oidc"] = builder => ProviderSnippets.ConfluentCloudOidc(builder, "your_client_secret"),
        ["msk-iam"] = ProviderSnippets.MskIam,
        ["event-hubs-entra"] = ProviderSnippets.EventHubsEntra,
        ["msk-scram"] = builder => ProviderSnippets.MskScram(builder, "your_password"),
        ["msk-tls"] = builder => ProviderSnippets.MskTls(builder, "your_key_password"),
        ["msk-open"] = ProviderSnippets.MskOpen,
        ["event-hubs"] = builder => ProviderSnippets.EventHubs(
            builder, "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=your-key"),
        ["sasl"] = builder => ProviderSnippets.Sasl(builder, "your_password"),
        ["tls"] = builder => ProviderSnippets.Tls(builder, "your_pfx_password"),
    };

    public static TheoryData<string> Ways => [.. Code.Keys];

    [Theory]
    [MemberData(nameof(Ways))]
    public void The_code_block_comes_to_what_the_configuration_block_comes_to(string way)
    {
        var configured = Options(builder => builder.Services.AddNaradKafka(builder.Configuration), ConfigurationBlock(way));
        var coded = Options(Code[way], "{}");

        coded.Provider.Should().Be(configured.Provider);
        coded.Brokers.Should().Be(configured.Brokers);
        coded.Ssl.Should().BeEquivalentTo(configured.Ssl);
        var makesTokens = way is "msk-iam" or "event-hubs-entra";
        coded.Sasl.Should()
            .BeEquivalentTo(configured.Sasl, same => makesTokens
                ? same.Including(sasl => sasl.Mechanism).Including(sasl => sasl.Password).Including(sasl => sasl.Oidc) : same);
        (coded.Sasl.TokenProvider is not null).Should().Be(makesTokens, "only code can make those tokens");
    }

    [Fact]
    public void Every_code_block_of_a_provider_is_compared() =>
        Regex.Matches(Pages(), "<!-- snippet: provider-(?<way>[a-z-]+) -->", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5))
            .Select(match => match.Groups["way"].Value)
            .Should().BeEquivalentTo(Code.Keys);

    // Not validated: the pages' certificates are nowhere.
    private static KafkaOptions Options(Action<HostApplicationBuilder> add, string json)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Configuration.AddJsonStream(stream);
        add(builder);
        using var host = builder.Build();
        var options = new KafkaOptions();
        foreach (var configure in host.Services.GetServices<IConfigureOptions<KafkaOptions>>())
        {
            configure.Configure(options);
        }

        return options;
    }

    private static string ConfigurationBlock(string way)
    {
        var block = Regex.Match(Pages(), $"<!-- configuration: {way} -->\n```json\n(?<json>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture,
            TimeSpan.FromSeconds(5));
        block.Success.Should().BeTrue("{0} has a configuration block", way);
        return block.Groups["json"].Value;
    }

    private static string Pages() =>
        string.Concat(Directory.EnumerateFiles(Path.Combine(Root(), "docs", "providers"), "*.md").Select(File.ReadAllText)).ReplaceLineEndings("\n");

    private static string Root([CallerFilePath] string here = "")
    {
        // A deterministic build hides the source's folder, so the search starts where the program runs.
        var folder = new DirectoryInfo(File.Exists(here) ? Path.GetDirectoryName(here)! : AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Narad.Kafka.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("Narad.Kafka.sln is in no folder above.");
        }

        return folder.FullName;
    }
}
