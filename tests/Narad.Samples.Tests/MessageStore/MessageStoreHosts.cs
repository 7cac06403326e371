using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using MessageStore;

namespace Narad.Samples.Tests.MessageStore;

/// <summary>The sample in this process, on an embedded broker and in memory, and what its clients do.</summary>
internal static class MessageStoreHosts
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(30) };

    public static Task<RunningSample> StartAsync(params string[] settings) => Sample.StartAsync(
        ["--urls=http://127.0.0.1:0", "--urls:consumer=http://127.0.0.1:0", .. settings], MessageStoreRoles.All());

    public static async Task<Message> PostAsync(Uri url, string text)
    {
        using var response = await Http.PostAsJsonAsync(new Uri(url, "/messages"), new { text });
        response.StatusCode.Should().Be(HttpStatusCode.Created);
        return (await response.Content.ReadFromJsonAsync<Message>())!;
    }

    public static async Task<IReadOnlyList<StoredText>> ListAsync(Uri url, string query = "") =>
        (await Http.GetFromJsonAsync<List<StoredText>>(new Uri(url, $"/messages{query}")))!;

    public static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromMinutes(2))
            {
                throw new TimeoutException($"It did not happen within two minutes: {what}.");
            }

            await Task.Delay(50);
        }
    }
}
