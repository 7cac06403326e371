using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Narad.Samples.Tests.SharedParts;

public sealed class SampleTests
{
    [Fact]
    public async Task A_sample_that_is_asked_to_stop_while_it_starts_ends_without_a_failure()
    {
        var role = new SampleRole("slow", 0, static builder =>
        {
            builder.Services.AddHostedService<NeverStarted>();
            return builder.Build();
        });

        var exitCode = await Sample.RunAsync(["--urls=http://127.0.0.1:0"], role);

        exitCode.Should().Be(0);
    }

    /// <summary>SIGTERM comes while it starts.</summary>
    private sealed class NeverStarted(IHostApplicationLifetime lifetime) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            lifetime.StopApplication();
            return Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
