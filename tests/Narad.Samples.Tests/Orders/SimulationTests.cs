using Narad.Kafka.Shared;
using Orders.Events;
using Xunit.Abstractions;

namespace Narad.Samples.Tests.Orders;

/// <summary>Many orders, and all that can go wrong: in the end every order is shipped or cancelled, and everything adds up.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    private const int Many = 2_000;

    [Fact]
    public async Task Orders_end_in_memory_while_participants_fail_and_hosts_are_restarted()
    {
        await using var cluster = new InMemoryOrders();
        await RunAsync(cluster, orders: 40, restarts: ["saga", "payment"], TimeSpan.FromMilliseconds(50), withOutages: false);
    }

    [SkippableFact]
    public async Task Orders_end_on_a_replica_set_while_processes_are_killed()
    {
        await using var cluster = new OrdersProcesses();
        await RunAsync(cluster, orders: 40, restarts: ["saga"], TimeSpan.FromMilliseconds(50), withOutages: false);
    }

    [SkippableFact]
    [Long]
    public async Task Many_orders_end_in_memory_while_hosts_and_the_broker_are_restarted()
    {
        SkipUnlessAskedFor();
        await using var cluster = new InMemoryOrders("--Orders:Saga:StepTimeout=00:00:15");
        await RunAsync(cluster, Many, Rounds(), TimeSpan.FromMilliseconds(300), withOutages: true);
    }

    [SkippableFact]
    [Long]
    public async Task Many_orders_end_on_a_replica_set_while_processes_broker_and_database_are_killed()
    {
        SkipUnlessAskedFor();
        await using var cluster = new OrdersProcesses("--Orders:Saga:StepTimeout=00:00:30");
        await RunAsync(cluster, Many, Rounds(), TimeSpan.FromMilliseconds(300), withOutages: true);
    }

    private async Task RunAsync(OrdersCluster cluster, int orders, IReadOnlyList<string> restarts, TimeSpan pace, bool withOutages)
    {
        await cluster.StartAsync();
        var simulation = new Simulation(cluster, orders, seed: 25);
        await simulation.MisbehaveAsync(failureRate: 0.15, rejectRate: 0.1, delay: TimeSpan.FromMilliseconds(20));
        var customers = simulation.CreateAsync(pace);
        for (var round = 0; round < restarts.Count; round++)
        {
            await simulation.CreatedAsync(orders * (round + 1) / (restarts.Count + 1));
            await cluster.RestartAsync(restarts[round]);
            if (withOutages && round % 5 == 2)
            {
                await cluster.RestartBrokerAsync();
            }

            if (withOutages && round % 5 == 4)
            {
                await cluster.RestartDatabaseAsync();
            }
        }

        await customers;
        var ended = await simulation.EndedAsync();
        await new SimulationVerifier(cluster, ended).VerifyAsync();
        foreach (var reasons in ended.Values.GroupBy(static order => order.State is OrderState.Shipped ? "shipped" : order.Reason))
        {
            output.WriteLine($"{reasons.Count(),6}  {reasons.Key}");
        }

        ended.Values.Should().Contain(static order => order.State == OrderState.Shipped).And.Contain(static order => order.State == OrderState.Cancelled);
    }

    // Every role twice.
    private static IReadOnlyList<string> Rounds() => [.. OrdersCluster.Roles, .. OrdersCluster.Roles];

    private static void SkipUnlessAskedFor() =>
        Skip.If(string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NARAD_TEST_KILLS")), "NARAD_TEST_KILLS is not set.");
}
