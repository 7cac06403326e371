using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Orders;
using Orders.Events;
using Orders.Storage;

namespace Narad.Samples.Tests.Orders;

/// <summary>Role <c>orders</c> in this process, on an embedded broker, and a client of its API. Without the other roles nothing answers to an order.</summary>
internal sealed class ApiHost : IAsyncDisposable
{
    private static readonly TimeSpan MostWait = TimeSpan.FromMinutes(5);

    private readonly RunningSample _sample;

    private ApiHost(RunningSample sample)
    {
        _sample = sample;
        Http = new HttpClient { BaseAddress = sample.UrlOf("orders"), Timeout = TimeSpan.FromMinutes(1) };
    }

    public HttpClient Http { get; }

    public IServiceProvider Services => _sample["orders"].Services;

    public IOrderEventStore Store => Services.GetRequiredService<IOrderEventStore>();

    public static async Task<ApiHost> StartAsync(params string[] settings) =>
        new(await Sample.StartAsync(["--urls=http://127.0.0.1:0", .. settings], OrdersRoles.All()[0]));

    public static OrderCreated NewOrder(string customer = "ann") => new(customer, [new OrderItem("book", 2, 12.50m)], 25m, "1 Main Street");

    /// <summary>Waits for a condition.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > MostWait)
            {
                throw new TimeoutException($"It did not happen: {what}.");
            }

            await Task.Delay(50);
        }
    }

    /// <summary>The orders that <see cref="CreateAsync"/> has created.</summary>
    public ConcurrentBag<string> Created { get; } = [];

    /// <summary>Creates an order in the event store.</summary>
    public async Task<string> CreateAsync(string customer = "ann")
    {
        var id = Guid.CreateVersion7().ToString();
        await Store.CreateAsync(id, NewOrder(customer), idempotencyKey: null, CancellationToken.None);
        Created.Add(id);
        return id;
    }

    /// <summary>Appends what the saga would.</summary>
    public async Task AppendAsync(string orderId, params OrderEvent[] events)
    {
        var log = await Store.ReadAsync(orderId, CancellationToken.None);
        await Store.AppendAsync(orderId, log.Count, events, CancellationToken.None);
    }

    public async Task<JsonElement> GetAsync(string path) => await Http.GetFromJsonAsync<JsonElement>(path);

    /// <summary>Sends a request, and reads its answer, which is a problem where the status is 400 or more.</summary>
    public async Task<JsonElement> SendAsync(HttpMethod method, string path, string? body, HttpStatusCode status, string? header = null, string? value = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        if (header is not null)
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }

        using var response = await Http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        response.StatusCode.Should().Be(status, text);
        response.Content.Headers.ContentType!.MediaType.Should().Be((int)status < 400 ? "application/json" : "application/problem+json");
        text.Should().NotContain("   at ");
        return JsonDocument.Parse(text).RootElement;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _sample.DisposeAsync();
    }
}
