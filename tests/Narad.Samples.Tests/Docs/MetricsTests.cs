using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;

namespace Narad.Samples.Tests.Docs;

/// <summary>docs/metrics.md lists the metrics that a service publishes.</summary>
public sealed partial class MetricsTests
{
    [Fact]
    public async Task The_page_lists_every_metric_with_its_unit_and_description()
    {
        var published = new HashSet<(string Name, string Kind, string? Unit, string? Description)>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Name == "Narad.Kafka")
            {
                lock (published)
                {
                    var kind = instrument.GetType().Name.Contains("Counter", StringComparison.Ordinal) ? "counter" : "gauge";
                    published.Add((instrument.Name, kind, instrument.Unit, instrument.Description));
                }
            }
        };
        listener.Start();
        var services = new ServiceCollection();
        services.AddNaradKafka(static options => options.Mode = KafkaMode.Console).AddOutbox(static options => options.Store = new InMemoryOutboxStore());
        await using var provider = services.BuildServiceProvider();
        provider.GetRequiredService<IOutbox>().Should().NotBeNull();

        var listed = Row().Matches(await File.ReadAllTextAsync(Path.Combine(DocsTests.Root, "docs", "metrics.md")))
            .Select(row => (row.Groups["name"].Value, row.Groups["kind"].Value, row.Groups["unit"].Value, row.Groups["description"].Value));

        listed.Should().BeEquivalentTo(published);
    }

    [GeneratedRegex(@"^\| `(?<name>narad\.[\w.]+)` \| (?<kind>\w+) \| `(?<unit>[^`]*)` \| (?<description>[^|]*) \|\r?$", RegexOptions.Multiline,
        matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Row();
}
