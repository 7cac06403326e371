using Narad.Kafka;
using Orders.Events;

namespace Orders.Storage;

/// <summary>The logs in this process's memory, lost at its exit. Thread-safe.</summary>
/// <remarks>
/// There are no transactions: a lock makes log and outbox change together. What is enqueued cannot fail any more when the log is changed, and nobody reads in
/// between.
/// </remarks>
internal sealed class InMemoryOrderEventStore(InMemoryOrderEventStore.Logs logs, IOutbox outbox, TimeProvider time) : IOrderEventStore
{
    public string Name => "memory";

    public Task<IReadOnlyList<OrderEvent>> ReadAsync(string orderId, CancellationToken cancellationToken) => logs.RunAsync(
        () => Task.FromResult<IReadOnlyList<OrderEvent>>(logs.Find(orderId) is { } log ? [.. log] : []), cancellationToken);

    public Task<Creation> CreateAsync(string orderId, OrderCreated created, string? idempotencyKey, CancellationToken cancellationToken) => logs.RunAsync(
        async () =>
        {
            var content = OrderJson.ContentOf(created);
            if (idempotencyKey is not null && logs.Keys.TryGetValue(idempotencyKey, out var first))
            {
                return first.Content == content ? new Creation(first.OrderId, IsNew: false) : throw new IdempotencyKeyException(idempotencyKey);
            }

            await AppendAsync_NeedsLock(orderId, expectedVersion: 0, [created]);
            if (idempotencyKey is not null)
            {
                logs.Keys.Add(idempotencyKey, (orderId, content));
            }

            return new Creation(orderId, IsNew: true);
        },
        cancellationToken);

    public Task<IReadOnlyList<OrderEvent>> AppendAsync(
        string orderId, int expectedVersion, IReadOnlyList<OrderEvent> events, CancellationToken cancellationToken) =>
        logs.RunAsync(() => AppendAsync_NeedsLock(orderId, expectedVersion, events), cancellationToken);

    private async Task<IReadOnlyList<OrderEvent>> AppendAsync_NeedsLock(string orderId, int expectedVersion, IReadOnlyList<OrderEvent> events)
    {
        var log = logs.Of(orderId);
        if (log.Count != expectedVersion)
        {
            throw new OrderConflictException(orderId, expectedVersion);
        }

        var next = OrderEvents.Number(events, orderId, expectedVersion, time);
        await outbox.EnqueueManyAsync(next);
        log.AddRange(next);
        return next;
    }

    /// <summary>What the stores of all hosts in this process share. Used under the lock only.</summary>
    internal sealed class Logs
    {
        private readonly SemaphoreSlim _lock = new(1, 1);
        private readonly Dictionary<string, List<OrderEvent>> _logs = new(StringComparer.Ordinal);

        /// <summary>Of idempotency keys.</summary>
        public Dictionary<string, (string OrderId, string Content)> Keys { get; } = new(StringComparer.Ordinal);

        /// <summary>All logs.</summary>
        public IReadOnlyCollection<IReadOnlyList<OrderEvent>> All => _logs.Values;

        public List<OrderEvent>? Find(string orderId) => _logs.GetValueOrDefault(orderId);

        public List<OrderEvent> Of(string orderId)
        {
            if (!_logs.TryGetValue(orderId, out var log))
            {
                _logs.Add(orderId, log = []);
            }

            return log;
        }

        public async Task<T> RunAsync<T>(Func<Task<T>> action, CancellationToken cancellationToken)
        {
            await _lock.WaitAsync(cancellationToken);
            try
            {
                return await action();
            }
            finally
            {
                _lock.Release();
            }
        }
    }
}
