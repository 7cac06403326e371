using System.Diagnostics;
using System.Net.WebSockets;
using Narad.Samples.Tests.SharedParts;
using Xunit.Abstractions;

namespace Narad.Samples.Tests.Notifications;

/// <summary>5,000 connections on one instance, a process of its own.</summary>
public sealed class ManyConnectionsTests(ITestOutputHelper output)
{
    private const int Count = 5_000;

    // What a connection may cost; the README has the measured figure.
    private const int MostBytes = 64 * 1024;

    [SkippableFact]
    [Narad.Kafka.Shared.NotInParallel("Its 5,000 clients take both processors.")]
    public async Task Five_thousand_connections_take_little_memory_and_each_gets_what_is_sent_to_all()
    {
        Skip.If(string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NARAD_TEST_LOAD")), "NARAD_TEST_LOAD is not set.");
        using var server = new RoleProcess(SampleOutput.Of("Notifications", "Notifications.dll"), "consumer", "--Notifications:HeartbeatTimeout=00:05:00");
        var url = await server.StartAsync();
        using var process = Process.GetProcessById(server.Id);
        using var http = new HttpClient { BaseAddress = url, Timeout = TimeSpan.FromMinutes(5) };
        await (await ConnectAsync(url, "first")).CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);   // what is loaded once
        var before = MemoryOf(process);

        var started = Stopwatch.GetTimestamp();
        var sockets = new List<ClientWebSocket>(Count);
        foreach (var some in Enumerable.Range(1, Count).Chunk(50))
        {
            sockets.AddRange(await Task.WhenAll(some.Select(number => ConnectAsync(url, $"user{number}"))));
        }

        output.WriteLine($"{Count} connections in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");
        var each = (MemoryOf(process) - before) / Count;
        output.WriteLine($"resident memory: {before / 1024 / 1024} MiB before, {MemoryOf(process) / 1024 / 1024} MiB after, {each} bytes a connection");

        started = Stopwatch.GetTimestamp();
        using var answer = await http.PostAsync("/notifications", DeliveryTests.JsonContent("""{"all":true,"message":"to all"}"""));
        ((int)answer.StatusCode).Should().Be(202);
        await Task.WhenAll(sockets.Select(async socket => (await socket.ReceiveAsync(new byte[1024], CancellationToken.None)).Count.Should().BePositive()));
        output.WriteLine($"all have the notification after {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s; {MemoryOf(process) / 1024 / 1024} MiB");
        sockets.ForEach(static socket => socket.Dispose());
        each.Should().BeLessThan(MostBytes);
    }

    private static long MemoryOf(Process process)
    {
        process.Refresh();
        return process.WorkingSet64;
    }

    private static async Task<ClientWebSocket> ConnectAsync(Uri url, string userId)
    {
        var socket = new ClientWebSocket();
        socket.Options.KeepAliveInterval = TimeSpan.Zero;
        await socket.ConnectAsync(new UriBuilder(url) { Scheme = "ws", Query = $"userId={userId}" }.Uri, CancellationToken.None);
        return socket;
    }
}
