using System.Diagnostics;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Shared;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Transports;

/// <summary>Tests that stop the whole real cluster for a while: never beside others of this project. ./test.sh runs them after all projects.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class PausesTheRealBroker
{
    public const string Name = "pauses the real broker";
}

/// <summary>
/// That a real broker which hangs (SIGSTOP: its host still accepts connections) is noticed, and its return too, and that nothing waits for it
/// without a bound.
/// </summary>
[Collection(PausesTheRealBroker.Name)]
[Trait("Category", "RunsAlone")]
public sealed class PausedBrokerTests
{
    private static readonly TimeSpan Noticed = TimeSpan.FromSeconds(5);

    [SkippableFact, Trait("Promise", "S3")]
    public async Task A_probe_is_false_within_its_timeout_while_the_broker_hangs_and_true_within_5_s_of_its_return()
    {
        var brokers = OneBroker();
        await using var transport = Transport.For(KafkaMode.Kafka, new KafkaOptions { Brokers = brokers }, new KafkaDiagnostics());
        (await transport.ProbeAsync(TimeSpan.FromSeconds(5), default)).Should().BeTrue();

        await ControlAsync("pause");
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        try
        {
            // Longer than the client needs to give its connections up: the way back must work from there too.
            for (var i = 0; i < 5; i++)
            {
                watch.Restart();
                (await transport.ProbeAsync(TimeSpan.FromSeconds(2), default)).Should().BeFalse();
                watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(3) + stalls.Allowance);
            }

            transport.ConnectionFault.Should().NotBeNull();
        }
        finally
        {
            await ControlAsync("resume");
        }

        watch.Restart();
        while (!await transport.ProbeAsync(TimeSpan.FromSeconds(1), default))
        {
            watch.Elapsed.Should().BeLessThan(Noticed + stalls.Allowance);
        }

        watch.Elapsed.Should().BeLessThan(Noticed + stalls.Allowance);
    }

    [SkippableFact]
    [Trait("Trap", "hung-broker")]
    public async Task A_transport_is_disposed_within_4_s_while_the_broker_hangs()
    {
        var brokers = OneBroker();
        var transport = Transport.For(KafkaMode.Kafka, new KafkaOptions { Brokers = brokers }, new KafkaDiagnostics());
        (await transport.ProbeAsync(TimeSpan.FromSeconds(5), default)).Should().BeTrue();

        await ControlAsync("pause");
        try
        {
            (await transport.ProbeAsync(TimeSpan.FromSeconds(1), default)).Should().BeFalse();
            using var stalls = new Stalls();
            var watch = Stopwatch.StartNew();
            await transport.DisposeAsync();
            watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(4) + stalls.Allowance);
        }
        finally
        {
            await ControlAsync("resume");
        }
    }

    private static string OneBroker()
    {
        var brokers = RealKafka.Brokers;
        Skip.If(brokers.Contains(',', StringComparison.Ordinal), "Pausing one broker of several makes no cluster hang.");
        Skip.If(string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_BROKER")),
            "NARAD_TEST_KAFKA_BROKER names no command that pauses and resumes a broker.");
        return brokers;
    }

    private static async Task ControlAsync(string action)
    {
        using var process = Process.Start(Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_BROKER")!, [action, "1"]);
        await process.WaitForExitAsync();
        process.ExitCode.Should().Be(0, "the broker must be {0}d", action);
    }
}
