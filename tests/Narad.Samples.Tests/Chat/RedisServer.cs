using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Narad.Samples.Tests.Chat;

/// <summary>A Redis server of a test: the program redis-server, on a free port of loopback, with nothing on disk. Not thread-safe.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private readonly int _port;
    private Process? _process;

    private RedisServer(int port) => _port = port;

    public string Url => $"redis://127.0.0.1:{_port}";

    /// <summary>Starts one; skips the test where the program is not installed.</summary>
    public static async Task<RedisServer> StartNewAsync()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var server = new RedisServer(((IPEndPoint)listener.LocalEndpoint).Port);
        listener.Stop();
        await server.StartAsync();
        return server;
    }

    public async Task StartAsync()
    {
        try
        {
            _process = Process.Start(new ProcessStartInfo(
                "redis-server", ["--port", $"{_port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", Path.GetTempPath()])
            {
                RedirectStandardOutput = true,
            })!;
            _process.OutputDataReceived += static (_, _) => { };
            _process.BeginOutputReadLine();
        }
        catch (Win32Exception)
        {
            Skip.If(true, "The program redis-server is not installed.");
        }

        await ChatUser.UntilAsync(CanConnectAsync, "redis-server answers");
    }

    /// <summary>SIGKILL; returns when it is gone.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }
    }

    private async Task<bool> CanConnectAsync()
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, _port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
