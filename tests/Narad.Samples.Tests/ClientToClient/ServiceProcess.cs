using System.Collections.Concurrent;
using System.Diagnostics;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>One of the services as a process of its own. Thread-safe.</summary>
internal sealed class ServiceProcess : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();

    private ServiceProcess(string role, string mongo, IEnumerable<string> settings)
    {
        var start = new ProcessStartInfo("dotnet", [SampleOutput.Of("ClientToClient", "ClientToClient.dll"), role, .. settings])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("KAFKA_", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name);
        }

        start.Environment["MONGODB_URI"] = mongo;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Where it listens.</summary>
    public Uri Url { get; private set; } = null!;

    /// <summary>Starts it, and waits until it listens.</summary>
    public static async Task<ServiceProcess> StartAsync(string role, string mongo, params IEnumerable<string> settings)
    {
        var service = new ServiceProcess(role, mongo, [$"--urls:{role}=http://127.0.0.1:0", .. settings]);
        try
        {
            service.Url = new Uri(await service.WordBehindAsync("Now listening on: "));
            return service;
        }
        catch
        {
            service.Dispose();
            throw;
        }
    }

    /// <summary>The address of the broker that it has inside.</summary>
    public async Task<string> BrokerAsync() => (await WordBehindAsync("listens on ")).TrimEnd(';');

    /// <summary>SIGKILL.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }

    private async Task<string> WordBehindAsync(string text)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (_lines.FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal)) is { } found)
            {
                return found[(found.IndexOf(text, StringComparison.Ordinal) + text.Length)..].Split(' ')[0];
            }

            if (_process.HasExited || Stopwatch.GetElapsedTime(started) > Deadline)
            {
                throw new TimeoutException($"It did not say '{text}'. Exited: {_process.HasExited}. It said:\n{string.Join('\n', _lines)}");
            }

            await Task.Delay(20);
        }
    }

    private void Keep(string? line)
    {
        if (line is not null)
        {
            _lines.Enqueue(line);
        }
    }
}
