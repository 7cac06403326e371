using Narad.Kafka;
using Orders.Events;

namespace Orders.ReadModel;

/// <summary>
/// The orders as lists show them. They are in a numbered model; while a new model is built from the topic, the active one serves. Thread-safe. Every member
/// fails with <see cref="StoreUnavailableException"/> while the storage does not answer.
/// </summary>
internal interface IOrderReadModel
{
    /// <summary>The model that serves, and the one that is being built.</summary>
    Task<Models> GetModelsAsync(CancellationToken cancellationToken);

    /// <summary>Adds an empty model with a new number and names it as the one that is being built, instead of another one.</summary>
    Task<Models> StartBuildingAsync(CancellationToken cancellationToken);

    /// <summary>Lets the model that is being built serve. The one before it is deleted.</summary>
    /// <returns>False where that model is not, or no longer, the one that is being built.</returns>
    Task<bool> SwitchAsync(int building, CancellationToken cancellationToken);

    /// <summary>Deletes the model that is being built.</summary>
    Task AbandonAsync(int building, CancellationToken cancellationToken);

    /// <summary>Orders of a model by their ids; those that it does not have are left out.</summary>
    Task<IReadOnlyDictionary<string, Order>> ReadAsync(int model, IReadOnlyCollection<string> orderIds, CancellationToken cancellationToken);

    /// <summary>Stores orders in a model. An order that the model has in the same or a later version stays as it is.</summary>
    Task WriteAsync(int model, IReadOnlyCollection<Order> orders, CancellationToken cancellationToken);

    /// <summary>Orders of the active model, the newest first.</summary>
    /// <param name="state">Only those in this state; null: all.</param>
    /// <param name="before">Only those that are older than the one with this id; null: from the newest on.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    Task<OrderPage> ListAsync(OrderState? state, string? before, int limit, CancellationToken cancellationToken);

    /// <summary>The version of every order of a model, by id.</summary>
    Task<IReadOnlyDictionary<string, int>> VersionsAsync(int model, CancellationToken cancellationToken);
}

/// <summary>The models that there are.</summary>
/// <param name="Active">The number of the model that serves.</param>
/// <param name="Building">The number of the model that is being built; null where none is.</param>
internal sealed record Models(int Active, int? Building)
{
    /// <summary>Where events are applied. The one that is being built comes first, so that it never has less than the active one.</summary>
    public IEnumerable<int> All => Building is { } building ? [building, Active] : [Active];
}

/// <summary>Some orders.</summary>
/// <param name="Items">The orders, the newest first.</param>
/// <param name="Counts">How many orders there are in each state, whatever was asked for.</param>
internal sealed record OrderPage(IReadOnlyList<Order> Items, IReadOnlyDictionary<OrderState, long> Counts);
