using System.Diagnostics;

namespace Narad.Samples.Tests.GetStarted;

/// <summary>samples/GetStarted/Schemas as a newcomer runs it.</summary>
public sealed class SchemasTests
{
    [Fact]
    public async Task Without_a_registry_server_a_message_that_fits_is_handled_and_one_that_does_not_is_refused()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        using var process = Process.Start(new ProcessStartInfo("dotnet", [SampleOutput.Of("GetStarted/Schemas", "GetStarted.Schemas.dll")])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        try
        {
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);

            process.ExitCode.Should().Be(0, await errors);
            output.Should().Contain("refused: it does not fit schema 1 of subject 'orders-value' at /total (exclusiveMinimum)").And.Contain("billed o-2: 9.99");
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }
}
