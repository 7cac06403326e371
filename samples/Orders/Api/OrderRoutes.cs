using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Microsoft.AspNetCore.Mvc;
using Orders.Events;
using Orders.ReadModel;
using Orders.Storage;

namespace Orders.Api;

/// <summary>
/// <c>/orders</c>. A list is the read model, which is a moment behind; one order is its log, which never is. Every decision is made on the log, and is appended
/// behind the version that it was made on.
/// </summary>
internal static class OrderRoutes
{
    public static void MapOrders(this IEndpointRouteBuilder app)
    {
        var orders = app.MapGroup("/orders");

        orders.MapGet("/", static async (
            IOrderReadModel readModel, CancellationToken cancellationToken, OrderState? state = null, [StringLength(100)] string? before = null,
            [Range(1, 200)] int limit = 50) =>
            OrderList.From(await readModel.ListAsync(state, before, limit, cancellationToken), limit));

        orders.MapGet("/{orderId}", static async (string orderId, IOrderEventStore store, HttpResponse response, CancellationToken cancellationToken) =>
            await ReadAsync(store, orderId, cancellationToken) is { } found ? Answer(response, found) : NotFound(orderId));

        orders.MapGet("/live", static (LiveFeed feed, IHostApplicationLifetime lifetime, CancellationToken cancellationToken) =>
            TypedResults.ServerSentEvents(feed.ReadAsync(lifetime.ApplicationStopping, cancellationToken)));

        // No cancellation token where something is written: it is done even if the client hangs up.
        orders.MapPost("/", CreateAsync);
        orders.MapPatch("/{orderId}", UpdateAsync);
        orders.MapPost("/{orderId}/cancel", CancelAsync);
        app.MapGet("/catalog", static () => Catalog.All);
    }

    private static async Task<IResult> CreateAsync(
        NewOrder body,
        [FromHeader(Name = "Idempotency-Key"), StringLength(100)] string? idempotencyKey,
        IOrderEventStore store,
        HttpResponse response)
    {
        if (Catalog.Price(body.Items!) is not { } items)
        {
            return Invalid("items", $"There is {string.Join(", ", Catalog.All.Select(static article => article.Sku))}, and nothing else.");
        }

        var total = items.Sum(static item => item.Quantity * item.Price);
        var created = new OrderCreated(body.CustomerId!.Trim(), items, total, body.DeliveryAddress!.Trim());
        Creation creation;
        try
        {
            creation = await store.CreateAsync(
                Guid.CreateVersion7().ToString(), created, string.IsNullOrEmpty(idempotencyKey) ? null : idempotencyKey, CancellationToken.None);
        }
        catch (IdempotencyKeyException failure)
        {
            return Results.Problem(statusCode: StatusCodes.Status422UnprocessableEntity, title: "The idempotency key is taken", detail: failure.Message);
        }

        var order = await ReadAsync(store, creation.OrderId, CancellationToken.None);
        response.Headers.Location = $"/orders/{creation.OrderId}";
        return Answer(response, order!, creation.IsNew ? StatusCodes.Status201Created : StatusCodes.Status200OK);
    }

    private static async Task<IResult> UpdateAsync(
        string orderId, Changes body, [FromHeader(Name = "If-Match")] string? ifMatch, IOrderEventStore store, HttpResponse response)
    {
        if (VersionOf(ifMatch) is not { } version)
        {
            return Results.Problem(
                statusCode: StatusCodes.Status428PreconditionRequired,
                title: "Which version do you change?",
                detail: "Send the header If-Match with the version of the order that you have read, such as If-Match: \"3\".");
        }

        if (await ReadAsync(store, orderId, CancellationToken.None) is not { } found)
        {
            return NotFound(orderId);
        }

        if (found.Order.Version != version)
        {
            return Conflict($"It has version {found.Order.Version}, not {version}. Read it again, and decide again.");
        }

        if (!found.Order.CanBeUpdated)
        {
            return Conflict($"Its delivery address can no longer be changed: it is {found.Order.State}.");
        }

        try
        {
            await store.AppendAsync(orderId, version, [new OrderUpdated(new OrderChanges(body.DeliveryAddress!.Trim()))], CancellationToken.None);
        }
        catch (OrderConflictException failure)
        {
            return Conflict(failure.Message);
        }

        return Answer(response, (await ReadAsync(store, orderId, CancellationToken.None))!);
    }

    // The customer cancels whatever state the order is in: where the order has moved on meanwhile, the decision is made again.
    private static async Task<IResult> CancelAsync(string orderId, Cancellation? body, IOrderEventStore store, HttpResponse response)
    {
        while (true)
        {
            if (await ReadAsync(store, orderId, CancellationToken.None) is not { } found)
            {
                return NotFound(orderId);
            }

            if (found.Order.State is OrderState.Shipped)
            {
                return Conflict("It has been shipped.");
            }

            if (!found.Order.CanBeCancelled)
            {
                return Answer(response, found, StatusCodes.Status202Accepted);   // asked for before, or failed by itself
            }

            try
            {
                var reason = string.IsNullOrWhiteSpace(body?.Reason) ? "The customer cancelled." : body.Reason.Trim();
                await store.AppendAsync(orderId, found.Order.Version, [new CancellationRequested(reason)], CancellationToken.None);
                return Answer(response, (await ReadAsync(store, orderId, CancellationToken.None))!, StatusCodes.Status202Accepted);
            }
            catch (OrderConflictException)
            {
                // An order has a handful of events, so this ends.
            }
        }
    }

    private static async Task<OrderHistory?> ReadAsync(IOrderEventStore store, string orderId, CancellationToken cancellationToken)
    {
        var events = await store.ReadAsync(orderId, cancellationToken);
        return Order.Fold(events) is { } order ? new OrderHistory(order, events) : null;
    }

    private static IResult Answer(HttpResponse response, OrderHistory found, int status = StatusCodes.Status200OK)
    {
        response.Headers.ETag = string.Create(CultureInfo.InvariantCulture, $"\"{found.Order.Version}\"");
        return Results.Json(found, statusCode: status);
    }

    // As the ETag has it, "3", or without the quotes.
    private static int? VersionOf(string? ifMatch) =>
        int.TryParse(ifMatch?.Trim().Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : null;

    private static IResult NotFound(string orderId) => Results.Problem(
        statusCode: StatusCodes.Status404NotFound, title: "There is no such order", detail: $"There is no order '{orderId}'.");

    private static IResult Conflict(string detail) => Results.Problem(
        statusCode: StatusCodes.Status409Conflict, title: "The order is not as you know it", detail: detail);

    private static IResult Invalid(string field, string text) => Results.ValidationProblem(new Dictionary<string, string[]> { [field] = [text] });
}
