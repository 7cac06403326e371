using System.Diagnostics;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests.Transports;

/// <summary>One of three real brokers dies or hangs while the others answer.</summary>
[Collection(PausesTheRealBroker.Name)]
public sealed class BrokenBrokerTests
{
    // librdkafka asks only the broker that it took for the controller. Each client takes another one: of nine, some have the one that dies.
    [SkippableFact]
    [Trait("Trap", "dead-controller")]
    [Trait("Promise", "S3")]
    public async Task IsConnected_is_true_again_within_seconds_while_the_controller_that_the_client_knew_stays_dead()
    {
        await using var cluster = ThreeBrokers.OrSkip();
        var services = Enumerable.Range(0, 9)
            .Select(_ => new KafkaService(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = cluster.Brokers, ShutdownTimeout = TimeSpan.FromSeconds(3) }))
            .ToList();
        try
        {
            await Task.WhenAll(services.Select(service => service.ConnectProducerAsync()));
            services.Should().OnlyContain(service => service.IsConnected);
            await cluster.KillAsync(1);
            var watch = Stopwatch.StartNew();
            var lost = new HashSet<KafkaService>();
            await Waiting.Until(
                () =>
                {
                    lost.UnionWith(services.Where(service => !service.IsConnected));
                    return watch.Elapsed > TimeSpan.FromSeconds(6);
                },
                "every service has probed twice");
            await Waiting.Until(() =>
                services.TrueForAll(service => service.IsConnected), $"all are connected, {lost.Count} of which were not for a while",
                TimeSpan.FromSeconds(10));
            (await services[0].Topics.GetPartitionCountsAsync(["no-such-topic"])).Should().BeEmpty("a request is answered too");
        }
        finally
        {
            await Task.WhenAll(services.Select(service => service.DisposeAsync().AsTask()));
        }
    }

    // Closing would wait for the coordinator's answer to a commit for minutes. The administration client has 3 s of its own to close.
    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Trait("Trap", "hung-broker")]
    [Trait("Promise", "S12")]
    public async Task A_member_leaves_a_coordinator_that_hangs_within_its_time_and_says_what_it_could_not_do(KafkaGroupProtocol protocol)
    {
        await using var cluster = ThreeBrokers.OrSkip();
        var (topic, group) = (await RealKafka.CreateTopicAsync(3), RealKafka.NewName("group"));
        await using var kafka = new KafkaService(new KafkaOptions
        {
            Mode = KafkaMode.Kafka, Brokers = cluster.Brokers, GroupProtocol = protocol, ShutdownTimeout = TimeSpan.FromSeconds(5),
                CommitInterval = TimeSpan.FromMinutes(1),
        });
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync(group);
        var handled = 0;
        await kafka.SubscribeAsync<string>(topic, (_, _, _) =>
        {
            Interlocked.Increment(ref handled);
            return Task.CompletedTask;
        });
        await Task.WhenAll(Enumerable.Range(0, 30).Select(n => kafka.SendAsync(topic, $"{n}", $"k{n}").AsTask()));
        await Waiting.Until(() => Volatile.Read(ref handled) == 30, "all are handled");
        await cluster.PauseAsync(await cluster.CoordinatorAsync(group));
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        var report = await kafka.DisconnectAsync();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(8.5) + stalls.Allowance);
        await cluster.RepairAsync();
        if (report.Abandoned.Count == 0)
        {
            // The broker answered before it hung, or another one became the coordinator meanwhile.
            await using var observer = new KafkaService(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = cluster.Brokers });
            await observer.ConnectProducerAsync();
            (await observer.Topics.GetCommittedOffsetsAsync(group, topic)).Values.Sum().Should().Be(30, "what is not named as abandoned was done");
        }
        else
        {
            report.Abandoned.Should().ContainSingle().Which.Should().Contain(group).And.Contain("did not close within");
        }
    }
}
