using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Tests.Producing;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Transports;
using Xunit.Abstractions;

namespace Narad.Kafka.Tests.Logging;

/// <summary>A warning means that somebody should look: what is logged while all is well, and while a broker is away.</summary>
public sealed class NoiseTests(ITestOutputHelper output)
{
    private static readonly int[] Rebalance = [3001, 3002];

    [Fact]
    public async Task While_the_broker_is_down_one_warning_says_so_however_many_clients_complain()
    {
        await using var service = await EmbeddedService.StartAsync(options => options.ProbeInterval = TimeSpan.FromMilliseconds(250));
        await service.Kafka.ConnectConsumerAsync("h");
        await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask, "g", subscription =>
            (subscription.Retry.Topic.MaxAttempts, subscription.DeadLetter.Enabled) = (3, true));
        await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask, "h");
        await service.SendAsync("orders", "x");

        service.Broker.StopBroker();
        var complaints = () => service.Log.All.Count(line => line.Id == 4004 && line.Message.Contains("Connection refused", StringComparison.Ordinal));
        await Waiting.Until(() => service.Log.Count(1006) > 0 && complaints() >= 8, "the clients complain again and again", TimeSpan.FromMinutes(2));
        service.Broker.StartBroker();
        await Waiting.Until(() => service.Kafka.IsConnected, "the broker is found again");
        await service.SendAsync("orders", "y");

        var warnings = service.Log.All.Where(line => line.Level >= LogLevel.Warning).ToList();
        warnings.Should().ContainSingle("these were logged: {0}", string.Join(Environment.NewLine, warnings)).Which.Id.Should().Be(1006);
        service.Log.Count(1007).Should().Be(1);
    }

    [Theory]
    [InlineData(0, "ok slow ok ok slow ok")]
    [InlineData(1, "ok slow slow ok")]
    [InlineData(2, "ok slow slow slow ok slow slow ok")]
    public async Task A_broker_is_gone_after_a_second_probe_without_an_answer(int lost, string answers)
    {
        var probes = answers.Split(' ').Select(answer => answer == "ok").ToArray();
        var made = 0;
        var log = new LogEvents();
        var diagnostics = new KafkaDiagnostics(log);
        var transport = new FakeTransport { Probe = () => Interlocked.Increment(ref made) is var probe && (probe > probes.Length || probes[probe - 1]) };
        var monitor = new ConnectionMonitor(new KafkaOptions { ProbeInterval = TimeSpan.FromMilliseconds(1) }, diagnostics);

        monitor.Start(transport, reached: true);

        await Waiting.Until(() => Volatile.Read(ref made) > probes.Length && monitor.IsConnected, "all probes were made");
        await monitor.DisposeAsync();
        log.Count(1006).Should().Be(lost);
        log.Count(1007).Should().Be(lost);
    }

    [Fact]
    public async Task An_outage_is_remembered_at_long_intervals()
    {
        var time = new ManualTime();
        var log = new LogEvents();
        var probes = 0;
        var transport = new FakeTransport { Probe = () => Interlocked.Increment(ref probes) == 0 };
        await using var monitor = new ConnectionMonitor(new KafkaOptions(), new KafkaDiagnostics(log, time));
        monitor.Start(transport, reached: true);
        for (var minute = 0; minute < 61; minute++)
        {
            await Waiting.Until(() => time.Timers > 0, "the monitor waits");
            time.Advance(TimeSpan.FromMinutes(1));
        }

        await Waiting.Until(() => log.Count(1006) == 3, "at the beginning, and after 30 and 60 minutes");
        Volatile.Read(ref probes).Should().BeGreaterThan(50);
    }

    [Fact]
    public void One_broker_of_several_is_named_once_while_it_cannot_be_reached()
    {
        var time = new ManualTime();
        var log = new LogEvents();
        var brokers = new UnreachableBrokers(log.CreateLogger("test"), time);
        const string Line = "[thrd:b2:9092/2]: b2:9092/2: Connect to ipv4#10.0.0.2:9092 failed: Connection refused (after 0ms in state CONNECT)";

        brokers.Failed(Line);
        brokers.Failed("[thrd:b3:9092/3]: b3:9092/3: Disconnected (after 600000ms in state UP)");
        time.Advance(UnreachableBrokers.Grace);
        brokers.Tell();
        log.All.Should().BeEmpty("a broker may restart");
        brokers.Failed(Line);
        brokers.Failed("nothing that names a broker");
        brokers.Tell();
        brokers.Tell();
        log.All.Should().ContainSingle().Which.Message.Should().Contain("b2:9092").And.Contain("Connection refused");
        time.Advance(UnreachableBrokers.Lasting);
        brokers.Tell();
        log.All.Should().HaveCount(2);
        log.All[1].Level.Should().Be(LogLevel.Information);
        brokers.Failed(Line);
        time.Advance(UnreachableBrokers.Grace);
        brokers.Failed(Line);
        brokers.Clear();
        brokers.Tell();
        log.All.Should().HaveCount(2, "that no broker answers is told by itself");
    }

    [Fact]
    public async Task A_message_that_fails_to_the_end_logs_its_stack_once()
    {
        await using var service = await EmbeddedService.StartAsync();
        service.Broker.CreateTopic("orders", 1);
        await service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, _, _) => throw new InvalidOperationException("the reason"),
            configure: subscription =>
            {
                subscription.Retry.InMemory.MaxAttempts = 2;
                subscription.Retry.Topic.MaxAttempts = 2;
                subscription.Retry.Topic.Delay = TimeSpan.FromMilliseconds(1);
                subscription.Retry.Topic.BackoffType = DelayBackoffType.Constant;
                subscription.DeadLetter.Enabled = true;
            });

        await service.SendAsync("orders", "x");

        await Waiting.Until(() => service.Log.Count(3015) == 1, "moved to the dead-letter topic");
        service.Log.All.Where(line => line.Error is not null).Should().ContainSingle().Which.Id.Should().Be(3015);
        service.Log.All.Where(line => line.Id == 3012).Should().HaveCount(6)
            .And.OnlyContain(line => line.Level == LogLevel.Debug && line.Message.Contains("InvalidOperationException: the reason"));
        service.Log.All.Where(line => line.Id == 3018).Should().HaveCount(2)
            .And.OnlyContain(line => line.Level == LogLevel.Information && line.Message.Contains("InvalidOperationException: the reason"));
        service.Log.All.Where(line => line.Level >= LogLevel.Warning).Should().ContainSingle();
    }

    /// <summary>
    /// With NARAD_NOISE_MINUTES it runs for as long as that and writes the table of docs/troubleshooting.md: 2 % of the messages fail and succeed in the end,
    /// one in a thousand never does, and a
    /// member comes and goes.
    /// </summary>
    [Fact]
    public async Task A_healthy_service_warns_of_dead_letters_and_of_nothing_else()
    {
        var minutes = double.Parse(Environment.GetEnvironmentVariable("NARAD_NOISE_MINUTES") ?? "0.2", System.Globalization.CultureInfo.InvariantCulture);
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("orders", 6);
        await using var service = await EmbeddedService.StartAsync(broker: broker);
        await SubscribeAsync(service);
        var (sent, rebalances, since) = (0, 0, Stopwatch.GetTimestamp());
        Task<EmbeddedService>? member = null;
        while (Stopwatch.GetElapsedTime(since) < TimeSpan.FromMinutes(minutes) || rebalances < 2)
        {
            await service.Kafka.SendManyAsync("orders", Enumerable.Range(sent, 30).Select(number => $"{number}"), message => message);
            sent += 30;
            if (sent % 1500 == 0)
            {
                // Joins, and leaves half a minute later.
                if (member is null)
                {
                    member = JoinAsync(broker);
                }
                else
                {
                    await (await member).DisposeAsync();
                    member = null;
                }

                rebalances++;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100));   // 300 messages a second
        }

        if (member is not null)
        {
            await (await member).DisposeAsync();
        }

        await Waiting.Until(() => service.Kafka.Subscriptions[0].Assignment.Count == 6, "all partitions are here again");
        var perHour = TimeSpan.FromHours(1) / Stopwatch.GetElapsedTime(since);
        foreach (var kind in service.Log.All.Where(line => line.Level >= LogLevel.Information).GroupBy(line => (line.Id, line.Level)).OrderBy(kind => kind.Key))
        {
            output.WriteLine(
                $"| {kind.Key.Id} | {kind.Key.Level} | {kind.Count()} | {kind.Count() * perHour:0} an hour | "
                    + $"{kind.First().Message[..Math.Min(90, kind.First().Message.Length)]}");
        }

        output.WriteLine($"{sent} messages, {rebalances} rebalances, {Stopwatch.GetElapsedTime(since)}");
        service.Log.All.Where(line => line.Level >= LogLevel.Warning && line.Id != 3015).Should().BeEmpty();
        service.Log.All.Count(line => Rebalance.Contains(line.Id)).Should()
            .BeLessThanOrEqualTo((4 * rebalances) + 4, "a rebalance is one line that takes and one that gives");
    }

    private static async Task<EmbeddedService> JoinAsync(EmbeddedBroker broker)
    {
        var member = await EmbeddedService.StartAsync(broker: broker);
        await SubscribeAsync(member);
        return member;
    }

    private static Task<ISubscription> SubscribeAsync(EmbeddedService service) => service.Kafka.SubscribeAsync<string>(
        "orders",
        (message, context, _) =>
        {
            var number = int.Parse(message, System.Globalization.CultureInfo.InvariantCulture);
            return (number % 50 == 0 && context is { Attempt: 1, Retry: 0 }) || number % 1_000 == 1 ? throw new InvalidOperationException("as it happens")
                : Task.CompletedTask;
        },
        configure: subscription =>
        {
            (subscription.Retry.InMemory.MaxAttempts, subscription.Retry.InMemory.Delay) = (1, TimeSpan.FromMilliseconds(50));
            (subscription.Retry.Topic.MaxAttempts, subscription.Retry.Topic.Delay) = (1, TimeSpan.FromSeconds(1));
            subscription.DeadLetter.Enabled = true;
        });
}
