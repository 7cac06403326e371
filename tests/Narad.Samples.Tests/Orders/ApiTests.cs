using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Orders.Events;

namespace Narad.Samples.Tests.Orders;

/// <summary>The routes of role <c>orders</c>.</summary>
public sealed class ApiTests : IAsyncLifetime
{
    private const string Good = """{"customerId":"ann","items":[{"sku":"book","quantity":2}],"deliveryAddress":"1 Main Street"}""";

    private ApiHost _api = null!;

    public async Task InitializeAsync() => _api = await ApiHost.StartAsync();

    public async Task DisposeAsync() => await _api.DisposeAsync();

    [Fact]
    public async Task An_order_that_is_not_valid_is_refused_with_its_field()
    {
        var refused = new Dictionary<string, string[]>
        {
            ["{}"] = ["customerId", "items", "deliveryAddress"],
            ["""{"customerId":" ","items":[{"sku":"book","quantity":1}],"deliveryAddress":"x"}"""] = ["customerId"],
            ["""{"customerId":"ann","items":[],"deliveryAddress":"x"}"""] = ["items"],
            ["""{"customerId":"ann","items":[{"sku":"book","quantity":0}],"deliveryAddress":"x"}"""] = ["items[0].quantity"],
            ["""{"customerId":"ann","items":[{"quantity":1}],"deliveryAddress":"x"}"""] = ["items[0].sku"],
            ["""{"customerId":"ann","items":[{"sku":"yacht","quantity":1}],"deliveryAddress":"x"}"""] = ["items"],
            ["""{"customerId":"ann","items":[{"sku":"book","quantity":"many"}],"deliveryAddress":"x"}"""] = ["items[0].quantity"],
            ["not JSON"] = ["$"],
        };
        foreach (var (body, fields) in refused)
        {
            var problem = await _api.SendAsync(HttpMethod.Post, "/orders", body, HttpStatusCode.BadRequest);
            problem.GetProperty("errors").EnumerateObject().Select(static error => error.Name).Should().BeEquivalentTo(fields, body);
        }

        (await _api.GetAsync("/orders")).GetProperty("items").GetArrayLength().Should().Be(0);
    }

    [Fact]
    public async Task The_same_idempotency_key_gives_the_same_order_and_other_content_is_refused()
    {
        var first = await _api.SendAsync(HttpMethod.Post, "/orders", Good, HttpStatusCode.Created, "Idempotency-Key", "k-1");
        var again = await _api.SendAsync(HttpMethod.Post, "/orders", Good, HttpStatusCode.OK, "Idempotency-Key", "k-1");
        var other = Good.Replace("ann", "ben", StringComparison.Ordinal);
        await _api.SendAsync(HttpMethod.Post, "/orders", other, HttpStatusCode.UnprocessableEntity, "Idempotency-Key", "k-1");
        await _api.SendAsync(HttpMethod.Post, "/orders", other, HttpStatusCode.Created);

        IdOf(again).Should().Be(IdOf(first));
        var order = first.GetProperty("order");
        order.GetProperty("total").GetDecimal().Should().Be(25m);
        order.GetProperty("state").GetString().Should().Be("AwaitingPayment");
        TypesOf(first).Should().Equal("ORDER_CREATED");
        await UntilListedAsync("", 2);
        (await _api.GetAsync($"/orders/{IdOf(first)}")).GetProperty("order").GetProperty("customerId").GetString().Should().Be("ann");
    }

    [Fact]
    public async Task The_delivery_address_changes_in_the_version_that_was_read_until_the_order_is_shipped()
    {
        var path = $"/orders/{await _api.CreateAsync()}";
        const string Body = """{"deliveryAddress":"2 Side Street"}""";

        await _api.SendAsync(HttpMethod.Patch, path, Body, (HttpStatusCode)428);
        (await _api.SendAsync(HttpMethod.Patch, path, "{}", HttpStatusCode.BadRequest, "If-Match", "\"1\"")).GetProperty("errors")
            .TryGetProperty("deliveryAddress", out _).Should().BeTrue();
        var changed = await _api.SendAsync(HttpMethod.Patch, path, Body, HttpStatusCode.OK, "If-Match", "\"1\"");
        await _api.SendAsync(HttpMethod.Patch, path, Body, HttpStatusCode.Conflict, "If-Match", "\"1\"");
        await _api.AppendAsync(IdOf(changed), new PaymentCompleted("p-1", 25m), new StockReserved(), new Shipped("t-1"));
        await _api.SendAsync(HttpMethod.Patch, path, Body, HttpStatusCode.Conflict, "If-Match", "5");

        changed.GetProperty("order").GetProperty("deliveryAddress").GetString().Should().Be("2 Side Street");
        TypesOf(changed).Should().Equal("ORDER_CREATED", "ORDER_UPDATED");
        TypesOf(await _api.GetAsync(path)).Should().Equal("ORDER_CREATED", "ORDER_UPDATED", "PAYMENT_COMPLETED", "STOCK_RESERVED", "SHIPPED");
    }

    [Fact]
    public async Task An_order_is_cancelled_once_and_not_after_it_was_shipped()
    {
        var cancelled = $"/orders/{await _api.CreateAsync()}";
        var shipped = await _api.CreateAsync();
        await _api.AppendAsync(shipped, new PaymentCompleted("p-1", 25m), new StockReserved(), new Shipped("t-1"));

        await _api.SendAsync(HttpMethod.Post, $"{cancelled}/cancel", """{"reason":"Too late"}""", HttpStatusCode.Accepted);
        await _api.SendAsync(HttpMethod.Post, $"{cancelled}/cancel", null, HttpStatusCode.Accepted);
        await _api.SendAsync(HttpMethod.Post, $"/orders/{shipped}/cancel", "{}", HttpStatusCode.Conflict);

        var history = await _api.GetAsync(cancelled);
        TypesOf(history).Should().Equal("ORDER_CREATED", "CANCELLATION_REQUESTED");
        history.GetProperty("order").GetProperty("reason").GetString().Should().Be("Too late");
        TypesOf(await _api.GetAsync($"/orders/{shipped}")).Should().HaveCount(4);
    }

    [Fact]
    public async Task What_does_not_exist_is_404()
    {
        await _api.SendAsync(HttpMethod.Get, "/orders/none", null, HttpStatusCode.NotFound);
        await _api.SendAsync(HttpMethod.Post, "/orders/none/cancel", null, HttpStatusCode.NotFound);
        await _api.SendAsync(HttpMethod.Patch, "/orders/none", """{"deliveryAddress":"x"}""", HttpStatusCode.NotFound, "If-Match", "1");
        await _api.SendAsync(HttpMethod.Put, "/participants/none", """{"failureRate":1}""", HttpStatusCode.NotFound);
        const string Letter = """{"topic":"payment.commands-dlt","partition":0,"offset":0}""";
        await _api.SendAsync(HttpMethod.Post, "/dead-letters/redrive", Letter, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task The_list_is_filtered_by_state_and_read_in_pages_and_the_feed_says_what_happens()
    {
        using var live = await _api.Http.GetAsync("/orders/live", HttpCompletionOption.ResponseHeadersRead);
        var ids = new List<string>();
        for (var number = 0; number < 5; number++)
        {
            ids.Add(await _api.CreateAsync($"c-{number}"));
        }

        await _api.AppendAsync(ids[1], new PaymentFailed("no money"), new OrderCancelled("no money"));

        await UntilListedAsync("?state=Cancelled", 1);
        var list = await _api.GetAsync("/orders?limit=2");
        var rest = await _api.GetAsync($"/orders?limit=10&before={list.GetProperty("next").GetString()}");
        IdsOf(list).Concat(IdsOf(rest)).Should().Equal(ids.OrderDescending(StringComparer.Ordinal));
        rest.GetProperty("next").ValueKind.Should().Be(JsonValueKind.Null);
        list.GetProperty("counts").GetProperty("AwaitingPayment").GetInt32().Should().Be(4);
        await _api.SendAsync(HttpMethod.Get, "/orders?state=Lost", null, HttpStatusCode.BadRequest);
        await _api.SendAsync(HttpMethod.Get, "/orders?limit=0", null, HttpStatusCode.BadRequest);

        var seen = new List<(string Id, string Type, string State)>();
        var items = SseParser.Create(
            await live.Content.ReadAsStreamAsync(), static (type, data) => type is "ready" ? default : JsonElement.Parse(data));
        await foreach (var item in items.EnumerateAsync())
        {
            if (item.EventType is "ready")
            {
                continue;
            }

            var (order, happened) = (item.Data.GetProperty("order"), item.Data.GetProperty("event"));
            seen.Add((order.GetProperty("orderId").GetString()!, happened.GetProperty("type").GetString()!, order.GetProperty("state").GetString()!));
            if (seen.Count == 7)
            {
                break;
            }
        }

        seen.Where(one => one.Id == ids[1]).Select(static one => (one.Type, one.State)).Should().Equal(
            ("ORDER_CREATED", "AwaitingPayment"), ("PAYMENT_FAILED", "Compensating"), ("ORDER_CANCELLED", "Cancelled"));
        seen.Select(static one => one.Id).Distinct().Should().BeEquivalentTo(ids);
    }

    [Fact]
    public async Task How_a_participant_behaves_is_set_through_the_topic()
    {
        await _api.SendAsync(HttpMethod.Put, "/participants/payment", """{"failureRate":0.5,"delaySeconds":2}""", HttpStatusCode.OK);
        var problem = await _api.SendAsync(HttpMethod.Put, "/participants/stock", """{"rejectRate":1.5}""", HttpStatusCode.BadRequest);

        problem.GetProperty("errors").TryGetProperty("rejectRate", out _).Should().BeTrue();
        await ApiHost.UntilAsync(
            async () => (await _api.GetAsync("/participants")).GetProperty("payment").GetProperty("failureRate").GetDouble() is 0.5, "it is set");
        (await _api.GetAsync("/participants/payment")).GetProperty("delaySeconds").GetDouble().Should().Be(2);
        (await _api.GetAsync("/participants/stock")).GetProperty("rejectRate").GetDouble().Should().Be(0);
    }

    private Task UntilListedAsync(string query, int count) => ApiHost.UntilAsync(
        async () => (await _api.GetAsync($"/orders{query}")).GetProperty("items").GetArrayLength() == count, $"{count} orders are listed");

    private static string IdOf(JsonElement history) => history.GetProperty("order").GetProperty("orderId").GetString()!;

    private static IEnumerable<string> IdsOf(JsonElement list) => list.GetProperty("items").EnumerateArray().Select(
        static order => order.GetProperty("orderId").GetString()!);

    private static IEnumerable<string?> TypesOf(JsonElement history) => history.GetProperty("events").EnumerateArray().Select(
        static one => one.GetProperty("type").GetString());
}
