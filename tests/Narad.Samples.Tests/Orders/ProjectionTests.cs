using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Narad.Samples.Tests.ClientToClient;
using Orders.Events;
using Orders.ReadModel;

namespace Narad.Samples.Tests.Orders;

/// <summary>The read model, and its rebuild while events come in.</summary>
public sealed class ProjectionTests
{
    [Fact]
    public async Task In_memory_a_rebuild_while_events_come_in_misses_none_and_the_list_is_never_behind()
    {
        await using var api = await ApiHost.StartAsync();
        await RebuildWhileEventsComeInAsync(api);
    }

    [SkippableFact]
    public async Task In_MongoDB_a_rebuild_while_events_come_in_misses_none_and_the_list_is_never_behind()
    {
        using var mongo = new TestMongo(replicaSet: true);
        await using var api = await ApiHost.StartAsync($"--MONGODB_URI={mongo.Uri}");
        await RebuildWhileEventsComeInAsync(api);
    }

    [Fact]
    public async Task An_event_that_comes_again_changes_nothing()
    {
        await using var api = await ApiHost.StartAsync();
        var (readModel, projection) = Parts(api);
        var id = await api.CreateAsync();
        await api.AppendAsync(id, new PaymentCompleted("p-1", 25m), new StockReserved());
        var log = await api.Store.ReadAsync(id, CancellationToken.None);
        await UntilModelIsCurrentAsync(api, readModel);

        await projection.ApplyAsync(1, [log[0], log[1]], CancellationToken.None);
        await projection.ApplyAsync(1, [.. log, .. log], CancellationToken.None);

        (await readModel.ReadAsync(1, [id], CancellationToken.None))[id].Should().BeEquivalentTo(Order.Fold(log));
    }

    [Fact]
    public async Task A_topic_that_does_not_have_all_events_does_not_replace_the_read_model()
    {
        await using var api = await ApiHost.StartAsync();
        var (readModel, projection) = Parts(api);
        await api.CreateAsync();
        await projection.ApplyAsync(1, [ApiHost.NewOrder() with { OrderId = "lost", Version = 1 }], CancellationToken.None);

        await api.SendAsync(HttpMethod.Post, "/projection/rebuild", null, HttpStatusCode.Accepted);
        await ApiHost.UntilAsync(
            async () => (await api.GetAsync("/projection")) is var status && !status.GetProperty("isRunning").GetBoolean(), "the rebuild ends");

        var after = await api.GetAsync("/projection");
        after.GetProperty("active").GetInt32().Should().Be(1);
        after.GetProperty("building").ValueKind.Should().Be(JsonValueKind.Null);
        after.GetProperty("problem").GetString().Should().Contain("1 of its orders");
        (await readModel.VersionsAsync(1, CancellationToken.None)).Should().ContainKey("lost");
    }

    private static async Task RebuildWhileEventsComeInAsync(ApiHost api)
    {
        const int Rebuilds = 2, MostOrders = 300;
        var (readModel, _) = Parts(api);
        await api.CreateAsync();
        await UntilModelIsCurrentAsync(api, readModel);
        using var rebuilt = new CancellationTokenSource();

        var writers = Enumerable.Range(0, 3).Select(async writer =>
        {
            for (var number = 0; number < MostOrders / 3 && (number < 10 || !rebuilt.IsCancellationRequested); number++)
            {
                var id = await api.CreateAsync($"c-{writer}-{number}");
                await api.AppendAsync(id, new PaymentCompleted("p", 25m));
                await api.AppendAsync(id, new StockReserved(), new Shipped("t"));
            }
        }).ToList();
        var reader = Task.Run(async () =>
        {
            long most = 1;
            while (!rebuilt.IsCancellationRequested)
            {
                var counts = (await api.GetAsync("/orders?limit=1")).GetProperty("counts").EnumerateObject().Sum(static count => count.Value.GetInt64());
                counts.Should().BeGreaterThanOrEqualTo(most, "a list never loses orders");
                most = counts;
            }
        });
        for (var rebuild = 1; rebuild <= Rebuilds; rebuild++)
        {
            var active = rebuild + 1;
            await api.SendAsync(HttpMethod.Post, "/projection/rebuild", null, HttpStatusCode.Accepted);
            await ApiHost.UntilAsync(
                async () =>
                {
                    var status = await api.GetAsync("/projection");
                    status.GetProperty("problem").GetString().Should().BeNull();
                    return status.GetProperty("active").GetInt32() == active && !status.GetProperty("isRunning").GetBoolean();
                },
                $"model {active} serves");
        }

        await rebuilt.CancelAsync();
        await Task.WhenAll([.. writers, reader]);

        await UntilModelIsCurrentAsync(api, readModel);
        var model = (await readModel.GetModelsAsync(CancellationToken.None)).Active;
        var versions = await readModel.VersionsAsync(model, CancellationToken.None);
        var orders = await readModel.ReadAsync(model, [.. versions.Keys], CancellationToken.None);
        versions.Count.Should().BeGreaterThan(30);
        foreach (var (id, order) in orders)
        {
            order.Should().BeEquivalentTo(Order.Fold(await api.Store.ReadAsync(id, CancellationToken.None)));
        }

        var counts = (await readModel.ListAsync(OrderState.Shipped, before: null, limit: 200, CancellationToken.None)).Counts;
        counts.Should().BeEquivalentTo(new Dictionary<OrderState, long> { [OrderState.Shipped] = versions.Count - 1, [OrderState.AwaitingPayment] = 1 });
    }

    // Every order that was created is in the model, in its last version.
    private static Task UntilModelIsCurrentAsync(ApiHost api, IOrderReadModel readModel) => ApiHost.UntilAsync(
        async () =>
        {
            var versions = await readModel.VersionsAsync((await readModel.GetModelsAsync(CancellationToken.None)).Active, CancellationToken.None);
            foreach (var id in api.Created)
            {
                if (versions.GetValueOrDefault(id) != (await api.Store.ReadAsync(id, CancellationToken.None)).Count)
                {
                    return false;
                }
            }

            return versions.Count == api.Created.Count;
        },
        "the read model has everything");

    private static (IOrderReadModel ReadModel, OrderProjection Projection) Parts(ApiHost api) =>
        (api.Services.GetRequiredService<IOrderReadModel>(), api.Services.GetRequiredService<OrderProjection>());
}
