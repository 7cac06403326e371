using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Notifications;
using Notifications.Sockets;
using Notifications.Storage;

namespace Narad.Samples.Tests.Notifications;

/// <summary>What a client may not do, and what becomes of one that is slow or gone.</summary>
public sealed class LimitTests
{
    [Fact]
    public async Task A_user_has_so_many_connections_and_another_one_when_one_is_closed()
    {
        await using var host = await NotificationsHost.StartAsync("--Notifications:MaxConnectionsPerUser=2");
        var first = await Device.ConnectAsync(host.Url, "user1");
        await using var second = await Device.ConnectAsync(host.Url, "user1");
        await using var other = await Device.ConnectAsync(host.Url, "user2");

        var third = () => Device.ConnectAsync(host.Url, "user1");
        (await third.Should().ThrowAsync<WebSocketException>()).WithMessage("*429*");

        await first.DisposeAsync();
        await NotificationsHost.UntilAsync(() => host.ConnectionsOf(1).Count == 2, "the first one is gone");
        await using var replacement = await third();
    }

    [Fact]
    public async Task A_client_that_breaks_a_rule_is_closed_and_told_which()
    {
        await using var host = await NotificationsHost.StartAsync(
            "--Notifications:MaxClientMessageBytes=1024", "--Notifications:MaxClientMessagesPerSecond=20");
        await using var large = await Device.ConnectAsync(host.Url, "user1");
        await using var wrong = await Device.ConnectAsync(host.Url, "user1");
        await using var fast = await Device.ConnectAsync(host.Url, "user1");

        await large.SendAsync(new string('x', 2_000));
        await wrong.SendAsync("hello");
        (await large.ClosedAsync()).Should().Be(WebSocketCloseStatus.MessageTooBig);
        (await wrong.ClosedAsync()).Should().Be(WebSocketCloseStatus.InvalidPayloadData);

        for (var number = 0; number < 200 && fast.CloseStatus is null; number++)
        {
            await fast.AcknowledgeAsync("unknown");
        }

        (await fast.ClosedAsync()).Should().Be(WebSocketCloseStatus.PolicyViolation);
    }

    [Fact]
    public async Task Requests_of_a_user_are_limited()
    {
        await using var host = await NotificationsHost.StartAsync("--Notifications:MaxRequestsPerSecond=3");

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => host.Http.GetAsync("/notifications?userId=user1")));

        answers.Select(answer => (int)answer.StatusCode).Should().Contain(200).And.Contain(429);
    }

    [Fact]
    public async Task A_client_that_answers_no_ping_is_dead()
    {
        await using var host = await NotificationsHost.StartAsync(
            "--Notifications:HeartbeatInterval=00:00:00.2", "--Notifications:HeartbeatTimeout=00:00:00.5");
        using var silent = new TcpClient("127.0.0.1", host.Url.Port);
        await silent.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            "GET /?userId=user1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
        await NotificationsHost.UntilAsync(() => host.ConnectionsOf(1).Count == 1, "it is connected");
        await using var alive = await Device.ConnectAsync(host.Url, "user2");

        await NotificationsHost.UntilAsync(() => host.ConnectionsOf(1).Of("user1").Length == 0, "it is dropped");

        host.ConnectionsOf(1).Of("user2").Should().HaveCount(1, "it answers");
    }

    [Fact]
    public async Task A_client_whose_queue_is_full_is_dropped_and_the_others_are_not()
    {
        using var memory = new InMemoryNotifications(TimeProvider.System);
        using var stuck = new StuckSocket();
        var options = new NotificationsOptions { MaxQueuedPerConnection = 10, SendTimeout = TimeSpan.FromMinutes(10) };
        var connection = new Connection("user1", wantsChanges: false, memory, states: null!, options, TimeProvider.System, NullLogger.Instance);
        var running = connection.RunAsync(stuck);

        for (var number = 0; number <= 11; number++)
        {
            connection.TrySend(new Frame($"n-{number}", "{}"u8.ToArray()));
        }

        await running.WaitAsync(TimeSpan.FromMinutes(1));
        stuck.State.Should().Be(WebSocketState.Aborted);
    }

    [Fact]
    public async Task A_client_that_accepts_nothing_for_too_long_is_dropped()
    {
        using var memory = new InMemoryNotifications(TimeProvider.System);
        using var stuck = new StuckSocket();
        var options = new NotificationsOptions { SendTimeout = TimeSpan.FromMilliseconds(200) };
        var connection = new Connection("user1", wantsChanges: false, memory, states: null!, options, TimeProvider.System, NullLogger.Instance);
        var running = connection.RunAsync(stuck);

        connection.TrySend(new Frame("n-1", "{}"u8.ToArray()));

        await running.WaitAsync(TimeSpan.FromMinutes(1));
        stuck.State.Should().Be(WebSocketState.Aborted);
    }

    /// <summary>A client that neither reads nor writes.</summary>
    private sealed class StuckSocket : WebSocket
    {
        private bool _aborted;

        public override WebSocketCloseStatus? CloseStatus => null;

        public override string? CloseStatusDescription => null;

        public override WebSocketState State => _aborted ? WebSocketState.Aborted : WebSocketState.Open;

        public override string? SubProtocol => null;

        public override void Abort() => _aborted = true;

        public override Task CloseAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
            Task.Delay(Timeout.Infinite, cancellationToken);

        public override Task CloseOutputAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
            Task.Delay(Timeout.Infinite, cancellationToken);

        public override async Task<WebSocketReceiveResult> ReceiveAsync(ArraySegment<byte> buffer, CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            throw new InvalidOperationException("It never comes to this.");
        }

        public override Task SendAsync(ArraySegment<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken) =>
            Task.Delay(Timeout.Infinite, cancellationToken);

        public override void Dispose() => _aborted = true;
    }
}
