using System.Collections.Concurrent;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Narad.Kafka;
using Orders.Events;
using Orders.Storage;

namespace Orders.Api;

/// <summary>
/// A broadcast subscription: every instance gets every event, and passes it on to the browsers that are connected to this one. Thread-safe.
/// </summary>
internal sealed class LiveFeed(IOrderEventStore store) : IMessageHandler<OrderEvent>
{
    // A browser that is slower loses the oldest. It reads the list anew after each change, so that it ends with the right one.
    private const int MaxQueued = 500;

    private readonly ConcurrentDictionary<Channel<OrderChange>, byte> _browsers = new();

    public async Task HandleAsync(OrderEvent message, MessageContext context, CancellationToken cancellationToken)
    {
        if (_browsers.IsEmpty)
        {
            return;
        }

        var log = await store.ReadAsync(message.OrderId, cancellationToken);
        if (Order.Fold(log.TakeWhile(one => one.Version <= message.Version)) is { } order)
        {
            foreach (var browser in _browsers.Keys)
            {
                browser.Writer.TryWrite(new OrderChange(order, message));
            }
        }
    }

    /// <summary>
    /// What happens from now on, until the browser is gone or the host stops: an open connection would hold it up. The first item says that the feed has begun;
    /// without an item, the browser gets no answer.
    /// </summary>
    public async IAsyncEnumerable<SseItem<OrderChange?>> ReadAsync(CancellationToken stopping, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var browser = Channel.CreateBounded<OrderChange>(new BoundedChannelOptions(MaxQueued) { FullMode = BoundedChannelFullMode.DropOldest });
        await using var registration = stopping.Register(() => browser.Writer.TryComplete());
        _browsers[browser] = 0;
        try
        {
            yield return new SseItem<OrderChange?>(null, "ready");
            await foreach (var change in browser.Reader.ReadAllAsync(cancellationToken))
            {
                yield return new SseItem<OrderChange?>(change);
            }
        }
        finally
        {
            _browsers.TryRemove(browser, out _);
        }
    }
}
