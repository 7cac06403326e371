using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Narad.Samples.Tests.QuickStart;

/// <summary>The program as a process of its own: the demo, with an <c>--output</c> file to check its word against, or the examples. Thread-safe.</summary>
internal sealed partial class DemoProcess : IDisposable
{
    private const int SigInt = 2;
    private const int SigKill = 9;
    private const int SigTerm = 15;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly ConcurrentQueue<string> _error = new();
    private readonly string _handled = Path.GetTempFileName();

    public DemoProcess(params string[] args)
        : this(new Dictionary<string, string>(StringComparer.Ordinal), args)
    {
    }

    private DemoProcess(IReadOnlyDictionary<string, string> environment, IReadOnlyList<string> args)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        string[] recorded = args is ["examples"] ? [] : ["--json", "--output", _handled];
        foreach (var argument in (string[])[SampleOutput.Of("QuickStart", "QuickStart.dll"), .. recorded, .. args])
        {
            start.ArgumentList.Add(argument);
        }

        // No settings but those that a test names.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("KAFKA_", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Keep(_output, line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(_error, line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Runs the examples instead.</summary>
    public static DemoProcess Examples(params IEnumerable<(string Name, string Value)> environment) =>
        new(environment.ToDictionary(variable => variable.Name, variable => variable.Value, StringComparer.Ordinal), ["examples"]);

    public StreamWriter Input => _process.StandardInput;

    public IReadOnlyCollection<string> Output => _output;

    public IReadOnlyCollection<string> Error => _error;

    public long PeakMemory { get; private set; }

    /// <summary>The last line of standard output.</summary>
    public JsonElement Summary => JsonDocument.Parse(_output.Last()).RootElement;

    public static bool HasSignals => !OperatingSystem.IsWindows();

    /// <summary>
    /// Whether processes started here hear an interrupt: whoever runs in the background of a script has been told to ignore it, and .NET keeps to that.
    /// </summary>
    public static bool HasInterrupts => HasSignals && !(OperatingSystem.IsLinux() && IgnoresInterrupts());

    /// <summary>What its messages carry; null until it said so, which it does before it handles anything.</summary>
    public string? Run => _output.FirstOrDefault(line => line.StartsWith($"In {_handled} this run is ", StringComparison.Ordinal))?.Split(' ')[^1];

    /// <summary>What the <c>--output</c> file says by now.</summary>
    public List<HandledLine> Handled()
    {
        if (Run is not { } own)
        {
            return [];
        }

        using var reader = new StreamReader(new FileStream(_handled, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        var lines = new List<HandledLine>();
        while (reader.ReadLine() is { } line)
        {
            lines.Add(HandledLine.Parse(line, own));
        }

        return lines;
    }

    /// <summary>The address of its embedded broker.</summary>
    public async Task<string> BrokerAsync()
    {
        const string Announcement = "The embedded broker listens on ";
        await UntilAsync(() => _output.Any(line => line.StartsWith(Announcement, StringComparison.Ordinal)), "the broker's address was printed");
        return _output.First(line => line.StartsWith(Announcement, StringComparison.Ordinal))[Announcement.Length..].Split(':') is [var host, var port, ..]
            ? $"{host}:{port}"
            : throw new FormatException("no address in the announcement");
    }

    public async Task UntilAsync(Func<bool> condition, string what)
    {
        var started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(started) > Deadline)
            {
                throw new TimeoutException(
                    $"Not reached: {what}. Exited: {_process.HasExited}. It said:\n{string.Join('\n', _output)}\n{string.Join('\n', _error)}");
            }

            await Task.Delay(20);
        }
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> EndAsync()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        try
        {
            while (!_process.HasExited)
            {
                PeakMemory = Math.Max(PeakMemory, WorkingSet());
                await Task.Delay(50, deadline.Token);
            }

            await _process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException late)
        {
            throw new TimeoutException($"It did not end. It said:\n{string.Join('\n', _output)}\n{string.Join('\n', _error)}", late);
        }

        return _process.ExitCode;
    }

    public void Interrupt() => Kill(_process.Id, SigInt).Should().Be(0);

    public void Terminate() => Kill(_process.Id, SigTerm).Should().Be(0);

    public void Kill() => Kill(_process.Id, SigKill).Should().Be(0);

    private static bool IgnoresInterrupts()
    {
        var ignored = File.ReadLines("/proc/self/status").First(line => line.StartsWith("SigIgn:", StringComparison.Ordinal))["SigIgn:".Length..].Trim();
        return (Convert.ToUInt64(ignored, 16) & (1UL << (SigInt - 1))) != 0;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
        File.Delete(_handled);
    }

    private long WorkingSet()
    {
        try
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
        catch (InvalidOperationException)
        {
            return 0; // it exited meanwhile, which nothing can rule out beforehand
        }
    }

    private static void Keep(ConcurrentQueue<string> lines, string? line)
    {
        if (line is not null)
        {
            lines.Enqueue(line);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int process, int signal);

    /// <summary>A line of the <c>--output</c> file.</summary>
    internal sealed record HandledLine(string? Key, long Line, int Partition, long Offset, string Run, bool IsOwn)
    {
        public static HandledLine Parse(string line, string own)
        {
            var json = JsonDocument.Parse(line).RootElement;
            var run = json.GetProperty("run").GetString()!;
            return new HandledLine(
                json.GetProperty("key").GetString(),
                json.GetProperty("line").GetInt64(),
                json.GetProperty("partition").GetInt32(),
                json.GetProperty("offset").GetInt64(),
                run,
                string.Equals(run, own, StringComparison.Ordinal));
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Key} {Line} {Partition}@{Offset} {Run}");
    }
}
