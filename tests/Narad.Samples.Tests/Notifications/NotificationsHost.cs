using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Narad.Kafka;
using Notifications;
using Notifications.Sockets;
using Notifications.Storage;

namespace Narad.Samples.Tests.Notifications;

/// <summary>The sample in this process, on an embedded broker and in memory, with one server instance or several, and what its clients do.</summary>
internal sealed class NotificationsHost : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    private readonly RunningSample _sample;
    private readonly InMemoryNotifications _memory;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(60) };

    private NotificationsHost(RunningSample sample, InMemoryNotifications memory)
    {
        _sample = sample;
        _memory = memory;
        _http.BaseAddress = Url;
    }

    public Uri Url => UrlOf(1);

    public IKafkaService Kafka => _sample["consumer-1"].Services.GetRequiredService<IKafkaService>();

    public EmbeddedBroker Broker => _sample.Broker!;

    public InMemoryNotifications Memory => _memory;

    public HttpClient Http => _http;

    public Uri UrlOf(int instance) => _sample.UrlOf($"consumer-{instance}");

    public Connections ConnectionsOf(int instance) => _sample[$"consumer-{instance}"].Services.GetRequiredService<Connections>();

    public static Task<NotificationsHost> StartAsync(params string[] settings) => StartAsync(instances: 1, TimeProvider.System, settings);

    public static async Task<NotificationsHost> StartAsync(int instances, TimeProvider time, params string[] settings)
    {
        var memory = new InMemoryNotifications(time);
        var roles = Enumerable.Range(1, instances).Select(instance => NotificationsRoles.Consumer($"consumer-{instance}", 0, memory, Configure));
        return new NotificationsHost(
            await Sample.StartAsync(["--urls=http://127.0.0.1:0", "--urls:consumer-2=http://127.0.0.1:0", .. settings], [.. roles]), memory);

        void Configure(WebApplicationBuilder builder) => builder.Services.Replace(ServiceDescriptor.Singleton(time));
    }

    /// <summary>Sends to a user by Kafka.</summary>
    public async Task SendAsync(string userId, params string[] ids) => await Kafka.SendManyAsync(
        "notifications", ids.Select(id => Create(userId, id)), static notification => notification.UserId);

    public static Notification Create(string userId, string id) =>
        new() { Id = id, UserId = userId, Message = $"This is {id}", Timestamp = DateTimeOffset.UtcNow };

    /// <summary>Waits until a user has so many notifications in the storage.</summary>
    public Task StoredAsync(string userId, int count) =>
        UntilAsync(async () => (await ListAsync(userId)).GetProperty("count").GetInt32() == count, $"{userId} has {count} stored");

    public Task<JsonElement> ListAsync(string userId, string query = "") => _http.GetFromJsonAsync<JsonElement>($"/notifications?userId={userId}{query}");

    public async Task<JsonElement> PostAsync(object body)
    {
        using var response = await _http.PostAsJsonAsync("/notifications", body);
        response.StatusCode.Should().Be(HttpStatusCode.Accepted);
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("sent");
    }

    /// <summary>Changes states.</summary>
    /// <returns>How many changed.</returns>
    public async Task<int> PutAsync(string userId, string path, string query = "")
    {
        using var response = await _http.PutAsync($"/notifications/{path}?userId={userId}{query}", content: null);
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("changed").GetInt32();
    }

    public static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > Deadline)
            {
                throw new TimeoutException($"It did not happen within {Deadline}: {what}.");
            }

            await Task.Delay(20);
        }
    }

    public static Task UntilAsync(Func<bool> condition, string what) => UntilAsync(() => Task.FromResult(condition()), what);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _sample.DisposeAsync();
        _memory.Dispose();
    }
}
