namespace Narad.Kafka.Consuming;

/// <summary>
/// Composes middleware around a handler, the first one outermost. Built once a subscription, or once a message of a batch, whose handler differs each
/// time.
/// </summary>
internal static class MiddlewareChain
{
    public static ConsumeDelegate Build(IReadOnlyList<IConsumeMiddleware> middleware, ConsumeDelegate handler)
    {
        var next = handler;
        for (var i = middleware.Count - 1; i >= 0; i--)
        {
            var (current, inner) = (middleware[i], next);
            next = (message, context, token) => current.HandleAsync(message, context, inner, token);
        }

        return next;
    }
}
