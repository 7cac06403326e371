using Narad.Kafka;
using Orders.Events;

namespace Orders.Saga;

/// <summary>What the saga waits for: which step it has asked a participant for, and until when.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="Step">The step that was asked for last; <see cref="OrderStep.None"/> once the order has ended.</param>
/// <param name="Deadline">When the step takes too long; null where nothing is waited for. In milliseconds.</param>
internal sealed record SagaState(string OrderId, OrderStep Step, DateTimeOffset? Deadline);

/// <summary>
/// The state of each order's saga. In the handler of a message it joins the transaction of that message. Thread-safe. Every member fails with
/// <see cref="StoreUnavailableException"/> while the storage does not answer.
/// </summary>
internal interface ISagaStore
{
    Task<SagaState?> FindAsync(string orderId, CancellationToken cancellationToken);

    Task SaveAsync(SagaState state, CancellationToken cancellationToken);

    /// <summary>The sagas whose deadline has passed, the oldest deadlines first.</summary>
    Task<IReadOnlyList<SagaState>> DueAsync(DateTimeOffset now, int limit, CancellationToken cancellationToken);
}
