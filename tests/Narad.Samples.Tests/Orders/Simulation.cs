using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Orders;
using Orders.Events;
using Orders.Participants;
using Orders.Storage;

namespace Narad.Samples.Tests.Orders;

/// <summary>Customers who order, change their address and cancel, while participants misbehave. Thread-safe.</summary>
internal sealed class Simulation(OrdersCluster cluster, int orders, int seed)
{
    private static readonly string[] Articles = ["apple", "banana", "cherry", "date", "elder", "fig", "grape", "hazel"];
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(15);

    private readonly ConcurrentDictionary<string, Order> _ended = new(StringComparer.Ordinal);
    private volatile int _created;

    /// <summary>The ids of the orders that were created.</summary>
    public IReadOnlyList<string> Ids { get; } = [.. Enumerable.Range(1, orders).Select(static number => $"order-{number:00000}")];

    private IOrderEventStore Store => cluster.Client.GetRequiredService<IOrderEventStore>();

    public async Task MisbehaveAsync(double failureRate, double rejectRate, TimeSpan delay)
    {
        var kafka = cluster.Client.GetRequiredService<IKafkaProducer>();
        foreach (var participant in ParticipantBehaviours.Names)
        {
            await kafka.SendAsync(
                new ParticipantBehaviour { Participant = participant, FailureRate = failureRate, RejectRate = rejectRate, Delay = delay });
        }
    }

    /// <summary>Creates all orders, some at once. Every tenth is cancelled and every fifth changed, sooner or later.</summary>
    public Task CreateAsync(TimeSpan pace) => Parallel.ForEachAsync(
        Ids.Index(),
        new ParallelOptions { MaxDegreeOfParallelism = 8 },
        async (order, token) =>
        {
            var random = new Random(seed + order.Index);
            await CreateAsync(order.Item, random);
            Interlocked.Increment(ref _created);
            await Task.Delay(pace * random.NextDouble() * 2, token);
            if (order.Index % 5 == 0)
            {
                await ChangeAsync(
                    order.Item, static found => found.CanBeUpdated ? new OrderUpdated(new OrderChanges($"New street {found.Version}")) : null);
            }

            if (order.Index % 10 == 0)
            {
                await ChangeAsync(order.Item, static found => found.CanBeCancelled ? new CancellationRequested("No longer wanted.") : null);
            }
        });

    /// <summary>Waits until so many orders were created.</summary>
    public Task CreatedAsync(int count) => UntilAsync(() => Task.FromResult(_created >= count), () => $"{count} orders are created");

    /// <summary>Waits until every order has ended.</summary>
    public async Task<IReadOnlyDictionary<string, Order>> EndedAsync()
    {
        await UntilAsync(
            async () =>
            {
                foreach (var id in Ids.Where(id => !_ended.ContainsKey(id)))
                {
                    if (Order.Fold(await Store.ReadAsync(id, default)) is not { HasEnded: true } order)
                    {
                        return false;
                    }

                    _ended[id] = order;
                }

                return true;
            },
            () => $"every order ends; {_ended.Count} of {Ids.Count} have");
        return _ended;
    }

    private static Task UntilAsync(Func<Task<bool>> condition, Func<string> what) => Wait.UntilAsync(() => TryAsync(condition), what, Deadline);

    // The same key however often the client has to ask.
    private async Task CreateAsync(string id, Random random)
    {
        OrderItem[] items = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => new OrderItem(
            Articles[random.Next(Articles.Length)], random.Next(1, 5), random.Next(1, 2_000) / 100m))];
        var created = new OrderCreated($"customer-{random.Next(100)}", items, items.Sum(static item => item.Quantity * item.Price), "Street 1");
        await UntilAsync(
            async () =>
            {
                var creation = await Store.CreateAsync(id, created, idempotencyKey: $"key of {id}", default);
                creation.OrderId.Should().Be(id);
                return true;
            },
            () => $"{id} is created");
    }

    private Task ChangeAsync(string id, Func<Order, OrderEvent?> decide) => UntilAsync(
        async () =>
        {
            var order = Order.Fold(await Store.ReadAsync(id, default))!;
            if (decide(order) is { } change)
            {
                await Store.AppendAsync(id, order.Version, [change], default);
            }

            return true;
        },
        () => $"{id} is changed");

    // A conflict, and a storage that is away, are tried again.
    private static async Task<bool> TryAsync(Func<Task<bool>> attempt)
    {
        try
        {
            return await attempt();
        }
        catch (Exception failure) when (failure is OrderConflictException or StoreUnavailableException)
        {
            return false;
        }
    }
}
