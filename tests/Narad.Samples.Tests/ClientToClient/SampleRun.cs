using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Narad.Kafka.Shared;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary><c>samples/run</c> as people run it, with the processes that it starts. Thread-safe.</summary>
internal sealed partial class SampleRun : IDisposable
{
    // It builds first.
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(4);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();

    public SampleRun(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo("bash", [Path.Combine(RepositoryFolder.Root, "samples", "run"), .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // A build of its own, nothing of the one around it; and no servers but those that a test names.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("KAFKA_", StringComparison.Ordinal) || name is "MONGODB_URI").ToList())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public IReadOnlyCollection<string> Lines => _lines;

    public async Task<string> LineAsync(string part)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (_lines.FirstOrDefault(line => line.Contains(part, StringComparison.Ordinal)) is { } found)
            {
                return found;
            }

            if (_process.HasExited || Stopwatch.GetElapsedTime(started) > Deadline)
            {
                throw new TimeoutException($"It did not say '{part}'. Exited: {_process.HasExited}. It said:\n{string.Join('\n', _lines)}");
            }

            await Task.Delay(20);
        }
    }

    /// <summary>Where client A listens, once both services run.</summary>
    public async Task<Uri> UrlAsync()
    {
        await LineAsync("Both services run");
        return new Uri(Curl().Match(await LineAsync("curl -X POST")).Groups["url"].Value);
    }

    /// <summary>The processes of the two services.</summary>
    public Dictionary<string, int> Services()
    {
        var found = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var name in (string[])["client-a", "client-b"])
        {
            using var search = Process.Start(
                new ProcessStartInfo("pgrep", ["-P", $"{_process.Id}", "-f", $"^[^ ]*dotnet ClientToClient.dll {name}"])
                {
                    UseShellExecute = false, RedirectStandardOutput = true,
                })!;
            if (int.TryParse(search.StandardOutput.ReadToEnd().Trim(), out var process))
            {
                found[name] = process;
            }
        }

        return found;
    }

    /// <summary>What Ctrl-C and SIGTERM do; one that is started here is deaf to the former.</summary>
    public void Stop() => Signal("-TERM", _process.Id);

    public static void Kill(int process) => Signal("-KILL", process);

    /// <summary>Waits for its end.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> EndAsync()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        try
        {
            await _process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException late)
        {
            throw new TimeoutException($"It did not end. It said:\n{string.Join('\n', _lines)}", late);
        }

        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
    }

    private static void Signal(string signal, int process)
    {
        using var kill = Process.Start("kill", [signal, $"{process}"]);
        kill.WaitForExit();
    }

    private void Keep(string? line)
    {
        if (line is not null)
        {
            _lines.Enqueue(line);
        }
    }

    [GeneratedRegex("curl -X POST (?<url>http://[^ ]+)", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Curl();
}
