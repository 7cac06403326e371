using System.Net.Http.Headers;
using System.Net.Http.Json;
using Chat;
using Chat.Contract;
using Microsoft.AspNetCore.SignalR.Client;

namespace Narad.Samples.Tests.Chat;

/// <summary>The sample in this process, on an embedded broker and in memory, and what its clients do.</summary>
internal static class ChatHosts
{
    public const string SigningKey = "a key of the tests, which is long enough";

    public static readonly TimeSpan MostWait = TimeSpan.FromMinutes(5);

    public static Task<RunningSample> StartAsync(int instances, params string[] settings) => Sample.StartAsync(
        [
            .. ChatRoles.All(instances).Select(static role => $"--urls:{role.Name}=http://127.0.0.1:0"),
            "--Chat:Heartbeat=00:00:00.3", "--Chat:OfflineAfter=00:00:01", .. settings,
        ],
        ChatRoles.All(instances));

    /// <summary>A client that is signed in.</summary>
    public static async Task<HttpClient> SignInAsync(Uri url, string name, CancellationToken cancellationToken = default)
    {
        var http = new HttpClient { BaseAddress = url, Timeout = TimeSpan.FromSeconds(20) };
        using var response = await http.PostAsJsonAsync("/api/session", new SignIn(name), cancellationToken);
        var session = (await response.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<Session>(cancellationToken))!;
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", session.Token);
        return http;
    }

    /// <summary>A connection to the hub with the client's session; not started.</summary>
    public static HubConnection Connection(Uri url, HttpClient http) => new HubConnectionBuilder()
        .WithUrl(new Uri(url, "/chat"), options => options.AccessTokenProvider = () => Task.FromResult(http.DefaultRequestHeaders.Authorization?.Parameter))
        .Build();
}
