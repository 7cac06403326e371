using System.Diagnostics;
using System.Text;

namespace Narad.Kafka.Tests.OwnProcess;

/// <summary>Runs one of <see cref="Children"/> in a process of its own.</summary>
internal static class ChildProcess
{
    /// <summary>The exit code of a child that ended well but for a task whose exception nobody observed.</summary>
    public const int Unobserved = 3;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(150);

    /// <summary>The exit code, and what it wrote; an exit code of 134 on Linux is an abort.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(string name, params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) is "dotnet" ? path : "dotnet")
        {
            UseShellExecute = false,
            RedirectStandardInput = true,   // it ends when this does
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in (string[])["exec", typeof(ChildProcess).Assembly.Location, "--child", name, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        var output = new StringBuilder();
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var deadline = new CancellationTokenSource(Deadline);
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException late)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{name} did not end within {Deadline}: {output}", late);
        }

        lock (output)
        {
            return (process.ExitCode, output.ToString());
        }

        void Keep(string? line)
        {
            lock (output)
            {
                _ = line is null ? output : output.AppendLine(line);   // null: its end
            }
        }
    }
}
