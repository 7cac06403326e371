using System.Diagnostics;

namespace Narad.Samples.Tests.SharedParts;

/// <summary>A command line that a page or a sample shows, as people paste it.</summary>
internal static class PastedCommand
{
    /// <summary>Runs it in bash. Skips the test where there is no curl.</summary>
    /// <returns>What it said.</returns>
    public static async Task<string> RunAsync(string line)
    {
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-c", line]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = bash.StandardOutput.ReadToEndAsync();
        var errors = bash.StandardError.ReadToEndAsync();
        await bash.WaitForExitAsync();
        Skip.If((await errors).Contains("command not found", StringComparison.Ordinal), "There is no curl.");
        return await output;
    }
}
