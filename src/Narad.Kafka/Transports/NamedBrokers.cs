using System.Net.Sockets;
using Narad.Kafka.Clients.Interop;

namespace Narad.Kafka.Transports;

/// <summary>Whether the brokers that a cluster names can be reached at the addresses that it names for them. Thread-safe.</summary>
internal static class NamedBrokers
{
    private const int MostAtOnce = 10;

    /// <summary>Whether one of them accepts a connection in time.</summary>
    public static async Task<bool> AnyAcceptsAsync(
        IReadOnlyList<ClusterBroker> brokers, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        if (timeout <= TimeSpan.Zero)
        {
            return false;
        }

        using var limit = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var accepted = false;
        await foreach (var attempt in Task.WhenEach(brokers.Take(MostAtOnce).Select(broker => AcceptsAsync(broker, either.Token))).ConfigureAwait(false))
        {
            if (await attempt.ConfigureAwait(false))
            {
                accepted = true;
                await either.CancelAsync().ConfigureAwait(false);   // the others end at once
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        return accepted;
    }

    private static async Task<bool> AcceptsAsync(ClusterBroker broker, CancellationToken cancellationToken)
    {
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(broker.Host, broker.Port, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception failure) when (failure is SocketException or OperationCanceledException or ArgumentException)
        {
            return false;   // which is the answer
        }
    }
}
