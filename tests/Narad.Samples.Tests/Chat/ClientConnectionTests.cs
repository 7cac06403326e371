using System.Security.Claims;
using Chat.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;

namespace Narad.Samples.Tests.Chat;

/// <summary>The queue of a connection.</summary>
public sealed class ClientConnectionTests
{
    private readonly FakeContext _context = new();
    private readonly StuckClient _client = new();

    [Fact]
    public async Task A_client_that_does_not_read_is_disconnected_and_nobody_waits_for_it()
    {
        var connection = new ClientConnection(_context, _client, "ann", DateTimeOffset.UnixEpoch, capacity: 10);
        var running = connection.RunAsync();

        var accepted = Enumerable.Range(0, 100).TakeWhile(number => connection.Send("message", number)).Count();

        accepted.Should().BeInRange(10, 11, "ten wait, and one may be on its way");
        _context.ConnectionAborted.IsCancellationRequested.Should().BeTrue();
        connection.Send("message", 100).Should().BeTrue("it is closed already: that is told once");
        await running.WaitAsync(ChatHosts.MostWait);
        _client.Sent.Should().BeLessThanOrEqualTo(1, "what was queued is not sent any more");
    }

    [Fact]
    public async Task Nothing_is_sent_to_a_connection_that_was_closed()
    {
        var connection = new ClientConnection(_context, _client, "ann", DateTimeOffset.UnixEpoch, capacity: 10);
        connection.Send("message", 1);
        connection.Close().Should().BeTrue();
        connection.Close().Should().BeFalse();

        await connection.RunAsync().WaitAsync(ChatHosts.MostWait);

        _client.Sent.Should().Be(0);
    }

    private sealed class StuckClient : ISingleClientProxy
    {
        public int Sent { get; private set; }

        public Task SendCoreAsync(string method, object?[] args, CancellationToken cancellationToken = default)
        {
            Sent++;
            return Task.Delay(Timeout.Infinite, cancellationToken);
        }

        public Task<T> InvokeCoreAsync<T>(string method, object?[] args, CancellationToken cancellationToken) => throw new NotSupportedException();
    }

    private sealed class FakeContext : HubCallerContext
    {
        private readonly CancellationTokenSource _aborted = new();

        public override string ConnectionId => "1";

        public override string? UserIdentifier => "ann";

        public override ClaimsPrincipal? User => null;

        public override IDictionary<object, object?> Items { get; } = new Dictionary<object, object?>();

        public override IFeatureCollection Features { get; } = new FeatureCollection();

        public override CancellationToken ConnectionAborted => _aborted.Token;

        public override void Abort() => _aborted.Cancel();
    }
}
