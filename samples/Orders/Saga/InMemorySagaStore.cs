using System.Collections.Concurrent;

namespace Orders.Saga;

/// <summary>The sagas of this process, lost at its exit. Thread-safe.</summary>
internal sealed class InMemorySagaStore : ISagaStore
{
    private readonly ConcurrentDictionary<string, SagaState> _sagas = new(StringComparer.Ordinal);

    public Task<SagaState?> FindAsync(string orderId, CancellationToken cancellationToken) => Task.FromResult(_sagas.GetValueOrDefault(orderId));

    public Task SaveAsync(SagaState state, CancellationToken cancellationToken)
    {
        _sagas[state.OrderId] = state;
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<SagaState>> DueAsync(DateTimeOffset now, int limit, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<SagaState>>([.. _sagas.Values.Where(saga => saga.Deadline <= now).OrderBy(static saga => saga.Deadline).Take(limit)]);
}
