using Chat;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Narad.Samples.Tests.Browser;

namespace Narad.Samples.Tests.Chat;

/// <summary>What the page's client does with messages that come late, twice, or not at all: chat.js on a server that is made up, in Chromium.</summary>
public sealed class ChatStateTests
{
    [SkippableFact]
    public async Task Nothing_is_hidden_lost_or_doubled_whatever_the_order_of_arrival()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var server = builder.Build();
        server.MapSamplePage(typeof(ChatRoles).Assembly, "Chat");
        await server.StartAsync();
        await using var browser = await Chromium.OpenAsync(new Uri(server.Urls.First()));

        var script = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "ChatStateTests.js"));
        var results = await browser.Page.EvaluateAsync<Dictionary<string, string>>(script);

        results.Should().HaveCount(8).And.OnlyContain(static result => result.Value == "passed");
    }
}
