using System.Globalization;
using System.Text.RegularExpressions;
using Narad.Kafka.Tests.OwnProcess;

namespace Narad.Kafka.Tests.Service;

/// <summary>The shorter of both time limits ends the drain, in order; nothing is thrown, and nothing is left unobserved.</summary>
public sealed partial class StoppingHostTests
{
    [Fact, Trait("Promise", "S12")]
    public async Task A_host_that_stops_earlier_than_the_service_cancels_the_handler_in_time_ends_well_and_warned_of_it_at_start()
    {
        var (exitCode, output) = await ChildProcess.RunAsync(nameof(StoppingHost), "5", "60");
        exitCode.Should().Be(0, output);
        output.Should().Contain("Kafka:ShutdownTimeout is 60 s, and the host stops waiting after 5 s (HostOptions.ShutdownTimeout)")
            .And.Contain("the handler's token was cancelled").And.Contain("Kafka disconnected").And.EndWith($"ended{Environment.NewLine}");
    }

    [Fact, Trait("Promise", "S12")]
    public async Task A_service_that_stops_earlier_than_its_host_ends_at_its_own_limit_and_warns_of_nothing()
    {
        var (exitCode, output) = await ChildProcess.RunAsync(nameof(StoppingHost), "60", "2");
        exitCode.Should().Be(0, output);
        output.Should().Contain("the handler's token was cancelled").And.NotContain("HostOptions").And.EndWith($"ended{Environment.NewLine}");
    }

    [Fact, Trait("Promise", "S12")]
    public async Task A_host_that_waits_2_s_cancels_a_handler_of_10_s_and_ends_well_in_about_2_s()
    {
        var (exitCode, output) = await ChildProcess.RunAsync(nameof(StoppingHost), "2", "30", "10");
        exitCode.Should().Be(0, output);
        output.Should().Contain("the handler's token was cancelled").And.Contain("Kafka disconnected").And.EndWith($"ended{Environment.NewLine}");
        var seconds = double.Parse(Stopped().Match(output).Groups["seconds"].Value, CultureInfo.InvariantCulture);
        seconds.Should().BeLessThan(7, output).And.BeGreaterThan(1, output);   // 10 s would be the handler's own time
    }

    [Fact]
    public async Task Calls_whose_callers_stopped_waiting_leave_no_unobserved_exception()
    {
        var (exitCode, output) = await ChildProcess.RunAsync(nameof(AbandonedCalls));
        exitCode.Should().Be(0, output);
    }

    [Theory, Trait("Promise", "S14")]
    [InlineData("handler", "OnUnhandled is StopHost: stopping the host")]
    [InlineData("late", "A subscription could not be started: stopping the host")]
    public async Task A_host_that_stops_because_of_a_failure_ends_with_exit_code_1(string failure, string reason)
    {
        var (exitCode, output) = await ChildProcess.RunAsync(nameof(FailingHost), failure);
        exitCode.Should().Be(1, output);
        output.Should().Contain(reason).And.Contain("Kafka disconnected", "it stops in order").And.EndWith($"ended{Environment.NewLine}");
    }

    [Fact]
    public async Task A_host_that_the_application_stops_ends_with_exit_code_0()
    {
        var (exitCode, output) = await ChildProcess.RunAsync(nameof(FailingHost), "well");
        exitCode.Should().Be(0, output);
        output.Should().EndWith($"ended{Environment.NewLine}");
    }

    [GeneratedRegex(@"stopped after (?<seconds>[\d.]+) s", RegexOptions.None, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Stopped();
}
