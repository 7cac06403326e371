using System.Diagnostics;
using System.Globalization;
using Narad.Kafka.Soak.Verification;

namespace Narad.Kafka.Soak.Load;

/// <summary>
/// A member in a process of its own: this program, started again. Its recorder is a file, a line a handling, written before the handler returns; so
/// it outlives a kill. The child ends when its standard input does.
/// </summary>
internal sealed class ChildMember : IAsyncDisposable
{
    private readonly Process _process;
    private readonly FileStream _file;
    private readonly StreamReader _lines;
    private readonly string _path;
    private string _rest = "";

    private ChildMember(Process process, string path)
    {
        _process = process;
        _path = path;
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        _lines = new StreamReader(_file);
    }

    /// <param name="number">The member's.</param>
    /// <param name="brokers">The cluster.</param>
    /// <param name="group">The group that it joins.</param>
    /// <param name="topics">What it handles.</param>
    /// <param name="log">The file for what the library logs.</param>
    /// <param name="work">What its handlers do where messages fail; null: none does.</param>
    /// <param name="identity">Whom it is to be, also after a restart; null: somebody new.</param>
    public static ChildMember Start(int number, string brokers, string group, IEnumerable<string> topics, string log, Work? work, string? identity)
    {
        var path = Path.GetTempFileName();
        var program = Environment.ProcessPath!;
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardInput = true };
        if (string.Equals(Path.GetFileNameWithoutExtension(program), "dotnet", StringComparison.OrdinalIgnoreCase))
        {
            start.ArgumentList.Add(typeof(ChildMember).Assembly.Location);
        }

        foreach (var argument in (string[])[
            "--child", number.ToString(CultureInfo.InvariantCulture), brokers, group, string.Join(',', topics), path, log, work?.Name ?? "", identity ?? ""])
        {
            start.ArgumentList.Add(argument);
        }

        return new ChildMember(Process.Start(start)!, path);
    }

    /// <summary>What the child process does.</summary>
    public static async Task<int> RunAsync(int number, string brokers, string group, string[] topics, string path, string log, Work? work, string identity)
    {
        await using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        var writing = new Lock();
        void Write(FormattableString text)
        {
            var line = System.Text.Encoding.ASCII.GetBytes(text.ToString(CultureInfo.InvariantCulture) + "\n");
            lock (writing)
            {
                file.Write(line);
            }
        }

        void Handled(Handling handling) => Write($"{handling.Key} {handling.Sequence} {handling.Started} {handling.Finished}");
        void Invoked(Invocation one)
        {
            var did = one.Handling;
            Write($"{did.Key} {did.Sequence} {did.Started} {did.Finished} {one.Retry} {one.Attempt} {(one.Failed ? 1 : 0)} {one.At} {one.Log} {one.Offset}");
        }

        void Configure(KafkaOptions options)
        {
            work?.Configure(options);
            if (identity.Length > 0)
            {
                work?.Be(identity, options);
            }
        }

        using var events = new EventLog(log);
        events.Seen = name =>
        {
            if (EventLog.Uncommitted(name) is { } before)
            {
                Write($"{Stopwatch.GetTimestamp()} {before.Ticks} {name}");
            }
            else if (name is "Assigned")
            {
                Write($"{Stopwatch.GetTimestamp()} {name}");
            }
        };
        var service = new KafkaService(MemberOptions.For(brokers, number, Configure), events.For($"m{number}"));
        await using var member = work is null
            ? await Member.StartAsync(number, service, group, topics, Handled, Member.Short)
            : await Member.StartAsync(number, service, group, topics, work, Invoked);
        while (Console.Read() >= 0)
        {
            // Nothing is ever said: the end is all that matters.
        }

        return 0;
    }

    /// <summary>Takes over what it wrote since it was last asked.</summary>
    public void Collect(int number, Recorder recorder)
    {
        var lines = (_rest + _lines.ReadToEnd()).Split('\n');
        _rest = lines[^1];
        foreach (var line in lines[..^1])
        {
            var parts = line.Split(' ');
            int Number(int part) => int.Parse(parts[part], CultureInfo.InvariantCulture);
            long Long(int part) => long.Parse(parts[part], CultureInfo.InvariantCulture);
            if (parts.Length == 2)
            {
                recorder.Tell(number, Long(0));
                continue;
            }

            if (parts.Length == 3)
            {
                recorder.FaultAt(Long(0), TimeSpan.FromTicks(Long(1)));   // something that was finished may not be committed
                if (parts[2] is "Lost")
                {
                    recorder.Tell(number, Long(0));
                }

                continue;
            }

            var handling = new Handling(Number(0), Number(1), number, Long(2), Long(3));
            if (parts.Length == 4)
            {
                recorder.Handle(handling);
            }
            else
            {
                recorder.Invoke(new Invocation(handling, Number(4), Number(5), Number(6) == 1, Long(7), parts[8], Long(9)));
            }
        }
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Stands still from now on: SIGSTOP.</summary>
    public Task StopAsync() => SignalAsync("STOP");

    /// <summary>Continues: SIGCONT.</summary>
    public Task ContinueAsync() => SignalAsync("CONT");

    /// <summary>It leaves in good order, and its recorder is complete.</summary>
    public async Task EndAsync()
    {
        if (!_process.HasExited)
        {
            _process.StandardInput.Close();
            await _process.WaitForExitAsync();
        }
    }

    private async Task SignalAsync(string signal)
    {
        using var shell = Process.Start("sh", ["-c", string.Create(CultureInfo.InvariantCulture, $"kill -{signal} {_process.Id}")]);
        await shell.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _process.Dispose();
        _lines.Dispose();
        File.Delete(_path);
    }
}
