using Narad.Kafka;
using Orders.Events;

namespace Orders.Storage;

/// <summary>
/// The logs of the orders, and the only writer of the topic <c>orders.events</c>: what is appended goes through the outbox of the same transaction, so log and
/// topic never disagree. In the handler of a message it joins the transaction of that message. Thread-safe. Every member fails with
/// <see cref="StoreUnavailableException"/> while the storage does not answer.
/// </summary>
internal interface IOrderEventStore
{
    /// <summary>What the storage is called in health.</summary>
    string Name { get; }

    /// <summary>The events of an order, in their order; none where there is no such order.</summary>
    Task<IReadOnlyList<OrderEvent>> ReadAsync(string orderId, CancellationToken cancellationToken);

    /// <summary>Appends the first event of a new order.</summary>
    /// <param name="orderId">The id of the new order.</param>
    /// <param name="created">The event.</param>
    /// <param name="idempotencyKey">A name of the request: the same key and content give the same order again. Null: every call is a new order.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <returns>The order, and whether it is new.</returns>
    /// <exception cref="IdempotencyKeyException">The key was used for an order with other content.</exception>
    Task<Creation> CreateAsync(string orderId, OrderCreated created, string? idempotencyKey, CancellationToken cancellationToken);

    /// <summary>Appends events to the log of an order, all or none of them.</summary>
    /// <param name="orderId">The order.</param>
    /// <param name="expectedVersion">The version of the last event that the caller has seen.</param>
    /// <param name="events">The events; their ids, versions and timestamps are set here.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <returns>The events as they are in the log.</returns>
    /// <exception cref="OrderConflictException">Another writer was faster: read the order again, and decide again.</exception>
    Task<IReadOnlyList<OrderEvent>> AppendAsync(
        string orderId, int expectedVersion, IReadOnlyList<OrderEvent> events, CancellationToken cancellationToken);
}

/// <summary>The result of <see cref="IOrderEventStore.CreateAsync"/>.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="IsNew">False where an earlier call with the same idempotency key created it.</param>
internal sealed record Creation(string OrderId, bool IsNew);

/// <summary>The log of an order has moved on since it was read.</summary>
internal sealed class OrderConflictException(string orderId, int expectedVersion)
    : Exception($"Order '{orderId}' has changed since version {expectedVersion}. Read it again, and decide again.");

/// <summary>An idempotency key came again, with other content.</summary>
internal sealed class IdempotencyKeyException(string key)
    : Exception($"The idempotency key '{key}' was used for an order with other content. Use a new key for a new order.");
