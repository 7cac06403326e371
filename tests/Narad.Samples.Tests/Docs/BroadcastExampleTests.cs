using System.Net.Http.Json;
using FluentAssertions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;

namespace Narad.Samples.Tests.Docs;

/// <summary>The example of docs/broadcast.md runs: two web servers on one broker.</summary>
public sealed class BroadcastExampleTests
{
    [Fact]
    public async Task Each_server_has_a_warm_cache_and_tells_its_browsers_of_every_change()
    {
        using var broker = EmbeddedBroker.Start();
        await using var first = await StartAsync(broker);
        using var client = new HttpClient { BaseAddress = new Uri(first.Urls.First()) };
        (await client.PutAsync("/prices/tea?amount=3.5", content: null)).EnsureSuccessStatusCode();

        await using var second = await StartAsync(broker);
        using var other = new HttpClient { BaseAddress = new Uri(second.Urls.First()), Timeout = TimeSpan.FromMinutes(1) };
        (await other.GetFromJsonAsync<Price[]>("/prices")).Should().Equal(new Price("tea", 3.5m));

        var line = ReadAsync(other);   // answers with the first event
        while (!line.IsCompleted)
        {
            // Whoever opens the feed is told of what changes from then on.
            (await client.PutAsync("/prices/coffee?amount=4", content: null)).EnsureSuccessStatusCode();
            await Task.WhenAny(line, Task.Delay(100));
        }

        (await line).Should().Contain("coffee");
        await first.StopAsync();
        await second.StopAsync();
    }

    private static async Task<string> ReadAsync(HttpClient client)
    {
        using var feed = new StreamReader(await client.GetStreamAsync("/prices/feed"));
        while (await feed.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("data:", StringComparison.Ordinal))
            {
                return line;
            }
        }

        return "";
    }

    private static async Task<WebApplication> StartAsync(EmbeddedBroker broker)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Test" });
        builder.Services.Configure<KafkaOptions>(options => (options.Mode, options.EmbeddedBroker) = (KafkaMode.Embedded, broker));
        var app = BroadcastSnippets.Prices(builder);
        app.Urls.Add("http://127.0.0.1:0");
        await app.StartAsync();
        return app;
    }
}
