using System.Collections.Immutable;
using Orders.Events;

namespace Orders.ReadModel;

/// <summary>The models in this process's memory, lost at its exit. Thread-safe.</summary>
internal sealed class InMemoryOrderReadModel : IOrderReadModel
{
    private readonly Lock _lock = new();
    private int _active = 1;
    private int? _building;
    private int _last = 1;
    private ImmutableDictionary<int, ImmutableSortedDictionary<string, Order>> _models =
        ImmutableDictionary<int, ImmutableSortedDictionary<string, Order>>.Empty.Add(1, Empty);

    private static ImmutableSortedDictionary<string, Order> Empty => ImmutableSortedDictionary.Create<string, Order>(StringComparer.Ordinal);

    public Task<Models> GetModelsAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(new Models(_active, _building));
        }
    }

    public Task<Models> StartBuildingAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _last++;
            _building = _last;
            _models = ImmutableDictionary<int, ImmutableSortedDictionary<string, Order>>.Empty.Add(_active, _models[_active]).Add(_last, Empty);
            return Task.FromResult(new Models(_active, _building));
        }
    }

    public Task<bool> SwitchAsync(int building, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_building != building)
            {
                return Task.FromResult(false);
            }

            _models = _models.Remove(_active);
            (_active, _building) = (building, null);
            return Task.FromResult(true);
        }
    }

    public Task AbandonAsync(int building, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_building == building)
            {
                _models = _models.Remove(building);
                _building = null;
            }

            return Task.CompletedTask;
        }
    }

    public Task<IReadOnlyDictionary<string, Order>> ReadAsync(int model, IReadOnlyCollection<string> orderIds, CancellationToken cancellationToken)
    {
        var orders = Of(model);
        return Task.FromResult<IReadOnlyDictionary<string, Order>>(
            orderIds.Where(orders.ContainsKey).ToDictionary(static id => id, id => orders[id], StringComparer.Ordinal));
    }

    public Task WriteAsync(int model, IReadOnlyCollection<Order> orders, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            // A model that was deleted meanwhile takes no more.
            if (_models.TryGetValue(model, out var known))
            {
                _models = _models.SetItem(model, known.SetItems(orders
                    .Where(order => !known.TryGetValue(order.OrderId, out var stored) || stored.Version < order.Version)
                    .Select(static order => KeyValuePair.Create(order.OrderId, order))));
            }
        }

        return Task.CompletedTask;
    }

    public Task<OrderPage> ListAsync(OrderState? state, string? before, int limit, CancellationToken cancellationToken)
    {
        ImmutableSortedDictionary<string, Order> orders;
        lock (_lock)
        {
            orders = _models[_active];
        }

        var items = orders.Values.Reverse()
            .Where(order => (state is null || order.State == state) && (before is null || string.CompareOrdinal(order.OrderId, before) < 0))
            .Take(limit);
        var counts = orders.Values.GroupBy(static order => order.State).ToDictionary(static group => group.Key, static group => group.LongCount());
        return Task.FromResult(new OrderPage([.. items], counts));
    }

    public Task<IReadOnlyDictionary<string, int>> VersionsAsync(int model, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyDictionary<string, int>>(
            Of(model).ToDictionary(static order => order.Key, static order => order.Value.Version, StringComparer.Ordinal));

    private ImmutableSortedDictionary<string, Order> Of(int model)
    {
        lock (_lock)
        {
            return _models.GetValueOrDefault(model, Empty);
        }
    }
}
