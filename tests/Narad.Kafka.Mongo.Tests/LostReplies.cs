using System.Net;
using System.Net.Sockets;
using MongoDB.Driver;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Stands between client and server. Once armed, it lets the next command of that name through, and closes the connection instead of delivering the
/// answer: the command was done, and its sender does not know.</summary>
internal sealed class LostReplies : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly MongoServerAddress _server;
    private byte[]? _command;

    public LostReplies(string uri)
    {
        var url = new MongoUrlBuilder(uri);
        _server = url.Server;
        _listener.Start();
        url.Server = new MongoServerAddress("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);
        (url.DirectConnection, url.ReplicaSetName) = (true, null);
        Uri = url.ToString();
        _ = AcceptAsync();
    }

    /// <summary>What clients connect to.</summary>
    public string Uri { get; }

    public void LoseNext(string command) => Volatile.Write(ref _command, System.Text.Encoding.ASCII.GetBytes($"\u0002{command}\0"));

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync());
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }

    private async Task ServeAsync(TcpClient accepted)
    {
        using var client = accepted;
        using var server = new TcpClient();
        await server.ConnectAsync(_server.Host, _server.Port);
        var loses = false;
        await Task.WhenAny(
            CopyAsync(client, server, data =>
            {
                if (Volatile.Read(ref _command) is { } command && data.Span.IndexOf(command) >= 0 && Interlocked.Exchange(ref _command, null) is not null)
                {
                    Volatile.Write(ref loses, true);
                }

                return true;
            }),
            CopyAsync(server, client, _ => !Volatile.Read(ref loses)));
    }

    private static async Task CopyAsync(TcpClient from, TcpClient to, Func<ReadOnlyMemory<byte>, bool> mayPass)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.GetStream().ReadAsync(buffer) is > 0 and var read && mayPass(buffer.AsMemory(0, read)))
            {
                await to.GetStream().WriteAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // Closed.
        }
    }
}
