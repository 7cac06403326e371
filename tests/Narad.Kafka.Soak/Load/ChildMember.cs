using System.Diagnostics;
using System.Globalization;
using Narad.Kafka.Soak.Books;

namespace Narad.Kafka.Soak.Load;

/// <summary>
/// A member in a process of its own: this program, started again. Its ledger is a file, a line a handling, written before the handler returns; so
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

    public static ChildMember Start(int number, string brokers, string group, IEnumerable<string> topics)
    {
        var path = Path.GetTempFileName();
        var program = Environment.ProcessPath!;
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardInput = true };
        if (string.Equals(Path.GetFileNameWithoutExtension(program), "dotnet", StringComparison.OrdinalIgnoreCase))
        {
            start.ArgumentList.Add(typeof(ChildMember).Assembly.Location);
        }

        foreach (var argument in (string[])["--child", number.ToString(CultureInfo.InvariantCulture), brokers, group, string.Join(',', topics), path])
        {
            start.ArgumentList.Add(argument);
        }

        return new ChildMember(Process.Start(start)!, path);
    }

    /// <summary>What the child process does.</summary>
    public static async Task<int> RunAsync(int number, string brokers, string group, string[] topics, string path)
    {
        await using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        var gate = new Lock();
        void Write(Handling handling)
        {
            var line = System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{handling.Key} {handling.Sequence} {handling.Started} {handling.Finished}\n"));
            lock (gate)
            {
                file.Write(line);
            }
        }

        var service = new KafkaService(MemberOptions.For(brokers, number));
        await using var member = await Member.StartAsync(number, service, group, topics, Write, Member.Short);
        while (Console.Read() >= 0)
        {
            // Nothing is ever said: the end is all that matters.
        }

        return 0;
    }

    /// <summary>The handlings since it was last asked.</summary>
    public IEnumerable<Handling> Collect(int number)
    {
        var lines = (_rest + _lines.ReadToEnd()).Split('\n');
        _rest = lines[^1];
        foreach (var line in lines[..^1])
        {
            var parts = line.Split(' ');
            yield return new Handling(
                int.Parse(parts[0], CultureInfo.InvariantCulture),
                int.Parse(parts[1], CultureInfo.InvariantCulture),
                number,
                long.Parse(parts[2], CultureInfo.InvariantCulture),
                long.Parse(parts[3], CultureInfo.InvariantCulture));
        }
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.StandardInput.Close();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _lines.Dispose();
        File.Delete(_path);
    }
}
