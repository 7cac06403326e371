using System.Threading.Channels;
using Microsoft.AspNetCore.SignalR;

namespace Chat.Connections;

/// <summary>
/// A client's connection, with a bounded queue: who reads too slowly is disconnected, catches up later, and keeps nobody else waiting. Thread-safe.
/// </summary>
internal sealed class ClientConnection(HubCallerContext context, ISingleClientProxy client, string userId, DateTimeOffset signedInAt, int capacity)
{
    private readonly Channel<(string Method, object Argument)> _queue = Channel.CreateBounded<(string, object)>(
        new BoundedChannelOptions(capacity) { SingleReader = true });

    private int _isClosed;

    public string Id => context.ConnectionId;

    public string UserId => userId;

    /// <summary>When its session began.</summary>
    public DateTimeOffset SignedInAt => signedInAt;

    /// <summary>Sends an event behind those that wait; if too many wait, closes the connection.</summary>
    /// <returns>False when the connection was closed by this call.</returns>
    public bool Send(string method, object argument) => Volatile.Read(ref _isClosed) == 1 || _queue.Writer.TryWrite((method, argument)) || !Close();

    /// <summary>Closes the connection; nothing more is sent, not even what is queued.</summary>
    /// <returns>Whether it was open.</returns>
    public bool Close()
    {
        var wasOpen = Interlocked.Exchange(ref _isClosed, 1) == 0;
        context.Abort();
        return wasOpen;
    }

    /// <summary>Sends what is queued until the connection ends.</summary>
    public async Task RunAsync()
    {
        try
        {
            await foreach (var (method, argument) in _queue.Reader.ReadAllAsync(context.ConnectionAborted))
            {
                if (Volatile.Read(ref _isClosed) == 1)
                {
                    return;
                }

                await client.SendAsync(method, argument, context.ConnectionAborted);
            }
        }
        catch (Exception)
        {
            Close();   // it is gone, or cannot be written to; the client comes back and catches up
        }
    }
}
