using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Narad.Kafka.Shared;

/// <summary>An HTTP endpoint on this machine that answers as the test says, and keeps what it was asked. One request a connection.</summary>
internal sealed class LoopbackEndpoint : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<string, string, Task<(string Status, string Type, string Body)>> _answer;
    private readonly SslServerAuthenticationOptions? _tls;
    private readonly Task _serving;

    /// <summary>Starts to listen.</summary>
    /// <param name="answer">Status line's end (<c>200 OK</c>), content type and body, from the head and the body of the request.</param>
    /// <param name="tls">Serves HTTPS with it; default HTTP.</param>
    public LoopbackEndpoint(Func<string, string, Task<(string Status, string Type, string Body)>> answer, SslServerAuthenticationOptions? tls = null)
    {
        _answer = answer;
        _tls = tls;
        _listener.Start();
        Address = new Uri($"{(tls is null ? "http" : "https")}://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");
        _serving = Task.Run(ServeAsync);
    }

    public Uri Address { get; }

    /// <summary>Head and body of each request.</summary>
    public ConcurrentQueue<(string Head, string Body)> Requests { get; } = new();

    /// <summary>Answers everything with this JSON.</summary>
    public static LoopbackEndpoint Json(string body, string status = "200 OK") => new((_, _) => Task.FromResult((status, "application/json", body)));

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
            _ = Task.Run(() => AnswerAsync(client));
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using var connection = client;
        await using var stream = await OpenAsync(client);
        var received = new List<byte>();
        var buffer = new byte[4096];
        int head;
        while ((head = End(received)) < 0 || received.Count < head + Length(received, head))
        {
            var read = await stream.ReadAsync(buffer, _stopping.Token);
            if (read == 0)
            {
                return;
            }

            received.AddRange(buffer.AsSpan(0, read));
        }

        var text = Encoding.UTF8.GetString([.. received]);
        var (asked, body) = (text[..head], text[head..]);
        Requests.Enqueue((asked, body));
        var (status, type, answer) = await _answer(asked, body);
        var bytes = Encoding.UTF8.GetBytes(answer);
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {bytes.Length}\r\nConnection: close\r\n\r\n"),
            _stopping.Token);
        await stream.WriteAsync(bytes, _stopping.Token);
    }

    private async Task<Stream> OpenAsync(TcpClient client)
    {
        if (_tls is null)
        {
            return client.GetStream();
        }

        var secured = new SslStream(client.GetStream());
        await secured.AuthenticateAsServerAsync(_tls, _stopping.Token);
        return secured;
    }

    // Where the body begins; below zero where it has not come yet.
    private static int End(List<byte> received)
    {
        var end = Encoding.ASCII.GetString([.. received]).IndexOf("\r\n\r\n", StringComparison.Ordinal);
        return end < 0 ? end : end + 4;
    }

    private static int Length(List<byte> received, int head)
    {
        const string Name = "\r\nContent-Length:";
        var text = Encoding.ASCII.GetString([.. received], 0, head);
        var start = text.IndexOf(Name, StringComparison.OrdinalIgnoreCase);
        return start < 0 ? 0 : int.Parse(text[(start + Name.Length)..text.IndexOf('\r', start + 2)], System.Globalization.CultureInfo.InvariantCulture);
    }
}
