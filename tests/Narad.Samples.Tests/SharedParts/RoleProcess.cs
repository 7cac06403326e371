using System.Collections.Concurrent;
using System.Diagnostics;

namespace Narad.Samples.Tests.SharedParts;

/// <summary>One role of a sample as a process of its own, which can be killed and started again. Lines: thread-safe; the rest is not.</summary>
internal sealed class RoleProcess : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);

    private readonly string _program;
    private readonly string[] _arguments;
    private readonly ConcurrentQueue<string> _lines = new();
    private Process? _process;

    /// <summary>Prepares a process.</summary>
    /// <param name="program">The program's path: <see cref="SampleOutput"/>.</param>
    /// <param name="role">The role; its first argument.</param>
    /// <param name="settings">More arguments.</param>
    public RoleProcess(string program, string role, params string[] settings)
        : this(program, [role, $"--urls:{role}=http://127.0.0.1:0", .. settings])
    {
    }

    /// <summary>Prepares the process of a sample without roles.</summary>
    /// <param name="program">The program's path.</param>
    /// <param name="arguments">All of its arguments.</param>
    public RoleProcess(string program, IEnumerable<string> arguments)
    {
        _program = program;
        _arguments = [program, .. arguments];
    }

    /// <summary>What it said since it was last started.</summary>
    public IReadOnlyCollection<string> Lines => _lines;

    /// <summary>Where it listens, once it was started.</summary>
    public Uri Url { get; private set; } = null!;

    /// <summary>The id of the process, once it was started.</summary>
    public int Id => _process!.Id;

    /// <summary>The address of the broker that it has inside.</summary>
    public async Task<string> BrokerAsync() => (await WordBehindAsync("embedded broker runs in this process and listens on ")).TrimEnd(';');

    /// <summary>Starts it, and waits until it listens.</summary>
    /// <returns>Where it listens.</returns>
    public async Task<Uri> StartAsync()
    {
        _lines.Clear();
        var start = new ProcessStartInfo("dotnet", _arguments)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Path.GetDirectoryName(_program)!,
        };
        foreach (var name in start.Environment.Keys.Where(static name => name.StartsWith("KAFKA_", StringComparison.Ordinal) || name is "MONGODB_URI").ToList())
        {
            start.Environment.Remove(name);
        }

        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Url = new Uri(await WordBehindAsync("Now listening on: "));
        return Url;
    }

    public async Task<string> LineAsync(string part)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (_lines.FirstOrDefault(line => line.Contains(part, StringComparison.Ordinal)) is { } found)
            {
                return found;
            }

            if (_process!.HasExited || Stopwatch.GetElapsedTime(started) > Deadline)
            {
                throw new TimeoutException($"It did not say '{part}'. Exited: {_process.HasExited}. It said:\n{string.Join('\n', _lines)}");
            }

            await Task.Delay(20);
        }
    }

    /// <summary>SIGKILL; returns when it is gone.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>Waits for its own end.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> EndAsync()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        await _process!.WaitForExitAsync(deadline.Token);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
        }

        _process?.Dispose();
    }

    private async Task<string> WordBehindAsync(string text)
    {
        var line = await LineAsync(text);
        return line[(line.IndexOf(text, StringComparison.Ordinal) + text.Length)..].Split(' ')[0];
    }

    private void Keep(string? line)
    {
        if (line is not null)
        {
            _lines.Enqueue(line);
        }
    }
}
