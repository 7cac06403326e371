using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Narad.Kafka.Tests.Clients;

/// <summary>A folder with the program that uses the mode Kafka only and with the native library as a test wants it. Used by one test.</summary>
internal sealed class OwnProcess : IDisposable
{
    private const string Program = "Narad.Kafka.Tests.Program";
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("narad-own-process-");

    /// <summary>The library that the package delivers for this machine's runtime and that loads without anything else installed.</summary>
    public static string Delivered
    {
        get
        {
            Skip.IfNot(
                OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture is Architecture.X64
                    && !RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal),
                "The package delivers a library that can be renamed and still loads for Linux x64 with glibc only.");
            return Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "centos8-librdkafka.so");
        }
    }

    /// <summary>Where a library of this name is in the folder.</summary>
    public string PathOf(string file) => Path.Combine(_folder.FullName, file);

    /// <summary>Runs the program with all that the package delivers, where the build put it.</summary>
    public static Task<string> RunAsDeliveredAsync(string brokers, string topic) => RunAsync(AppContext.BaseDirectory, brokers, topic);

    /// <summary>Runs the program in its folder, with the libraries that were put there and no other.</summary>
    public Task<string> RunAsync(params string[] arguments)
    {
        foreach (var pattern in (string[])[
            $"{Program}.dll", $"{Program}.runtimeconfig.json", "Narad.Kafka.dll", "Confluent.Kafka.dll", "Microsoft.Extensions.*.dll"])
        {
            foreach (var file in Directory.EnumerateFiles(AppContext.BaseDirectory, pattern))
            {
                File.Copy(file, PathOf(Path.GetFileName(file)));
            }
        }

        return RunAsync(_folder.FullName, arguments);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static async Task<string> RunAsync(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[Path.Combine(folder, $"{Program}.dll"), .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        try
        {
            using var deadline = new CancellationTokenSource(Timeout);
            var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            var error = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            process.ExitCode.Should().Be(0, "the program wrote {0}{1}", await output, await error);
            return await output;
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }
    }
}
