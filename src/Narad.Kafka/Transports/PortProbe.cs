using System.Net.Sockets;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Transports;

/// <summary>
/// Whether anybody listens where the brokers should be. It speaks no Kafka: a client that waits for a dead controller knocks a thousand times a second
/// for as long as it is asked, so it is asked only when somebody opens.
/// </summary>
internal static class PortProbe
{
    private const int DefaultPort = 9092;

    public static async Task<bool> AnyListensAsync(string brokers, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(timeout);
        var knocks = BrokerList.Split(brokers).Select(broker => ListensAsync(broker, deadline.Token)).ToList();
        while (knocks.Count > 0)
        {
            var answered = await Task.WhenAny(knocks).ConfigureAwait(false);
            if (await answered.ConfigureAwait(false))
            {
                await deadline.CancelAsync().ConfigureAwait(false);
                return true;
            }

            knocks.Remove(answered);
        }

        cancellationToken.ThrowIfCancellationRequested();
        return false;
    }

    private static async Task<bool> ListensAsync(string broker, CancellationToken cancellationToken)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(BrokerList.Host(broker), BrokerList.Port(broker) ?? DefaultPort, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception failure) when (failure is SocketException or OperationCanceledException)
        {
            return false;
        }
    }
}
