using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;

namespace Narad.Samples.Tests.Docs;

/// <summary>The code of docs/broadcast.md.</summary>
public static class BroadcastSnippets
{
    public static WebApplication Prices(WebApplicationBuilder builder)
    {
        // snippet: broadcast-web
        builder.Services.AddSingleton<PriceCache>();
        builder.Services.AddSingleton<PriceFeed>();
        builder.Services.AddNaradKafka()
            .AddTopic("prices", partitions: 6, cleanupPolicy: TopicCleanupPolicy.Compact)
            .AddBroadcastSubscription<Price, PriceCache>(
                "prices",
                o =>
                {
                    o.StartPosition = StartPosition.Earliest;   // the latest price of every product, since the topic is compacted
                    o.IncludeTombstones = true;
                },
                waitUntilCaughtUp: true)                        // the first request finds a warm cache
            .AddBroadcastSubscription<Price, PriceFeed>("prices");   // from the end: what changes from now on

        var app = builder.Build();
        app.MapPut("/prices/{product}", async (string product, decimal amount, IKafkaProducer kafka, CancellationToken token) =>
        {
            await kafka.SendAsync("prices", new Price(product, amount), key: product, cancellationToken: token);
            return Results.Accepted();
        });
        app.MapGet("/prices", (PriceCache cache) => cache.All);
        app.MapGet("/prices/feed", (PriceFeed feed, IHostApplicationLifetime host, CancellationToken token) =>
            TypedResults.ServerSentEvents(feed.ReadAsync(host.ApplicationStopping, token)));
        // end
        return app;
    }

    public static async Task ByHandAsync(IKafkaService kafka, CancellationToken token)
    {
        // snippet: broadcast-by-hand
        var cache = new PriceCache();
        var prices = await kafka.SubscribeBroadcastAsync<Price>("prices", cache.HandleAsync, o => o.StartTime = DateTimeOffset.UtcNow.AddDays(-1));
        await prices.UntilCaughtUpAsync(token);   // the last day's prices are in the cache
        // end
    }
}

// snippet: broadcast-cache
public sealed record Price(string Product, decimal Amount);

public sealed class PriceCache : IMessageHandler<Price>
{
    private readonly ConcurrentDictionary<string, Price> _prices = new(StringComparer.Ordinal);

    public ICollection<Price> All => _prices.Values;

    public Task HandleAsync(Price? message, MessageContext context, CancellationToken cancellationToken)
    {
        if (message is null)
        {
            _prices.TryRemove(context.Key.ToString(), out _);   // a tombstone: the product is gone
        }
        else
        {
            _prices[message.Product] = message;
        }

        return Task.CompletedTask;
    }
}
// end

// snippet: broadcast-feed
public sealed class PriceFeed : IMessageHandler<Price>
{
    private readonly ConcurrentDictionary<Channel<Price>, byte> _browsers = new();

    public Task HandleAsync(Price message, MessageContext context, CancellationToken cancellationToken)
    {
        foreach (var browser in _browsers.Keys)
        {
            browser.Writer.TryWrite(message);   // a browser that is slow loses the oldest, and slows down nobody
        }

        return Task.CompletedTask;
    }

    public async IAsyncEnumerable<Price> ReadAsync(CancellationToken stopping, [EnumeratorCancellation] CancellationToken token)
    {
        var browser = Channel.CreateBounded<Price>(new BoundedChannelOptions(100) { FullMode = BoundedChannelFullMode.DropOldest });
        await using var end = stopping.Register(() => browser.Writer.TryComplete());   // an open feed would hold up the stop
        _browsers[browser] = 0;
        try
        {
            await foreach (var price in browser.Reader.ReadAllAsync(token))
            {
                yield return price;
            }
        }
        finally
        {
            _browsers.TryRemove(browser, out _);
        }
    }
}
// end
