using System.Net;
using System.Net.Sockets;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Transports;

public sealed class PortProbeTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task One_of_several_that_listens_is_enough_and_none_is_said_at_once()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var open = $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
        var closed = FreeAddress();
        (await PortProbe.AnyListensAsync($"{closed}, {open}", Second, default)).Should().BeTrue();
        (await PortProbe.AnyListensAsync(closed, Second, default)).Should().BeFalse();
        (await PortProbe.AnyListensAsync("no-such-host.invalid:9092", Second, default)).Should().BeFalse();
    }

    [Fact]
    public async Task Its_caller_can_stop_waiting()
    {
        using var stopped = new CancellationTokenSource();
        await stopped.CancelAsync();
        await FluentActions.Awaiting(() => PortProbe.AnyListensAsync(FreeAddress(), Second, stopped.Token)).Should().ThrowAsync<OperationCanceledException>();
    }

    private static string FreeAddress()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
    }
}
