using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Transports;

/// <summary>That the broker which the administration client takes for the controller may die while others answer.</summary>
public sealed class DeadControllerTests
{
    [Fact, Trait("Promise", "S3")]
    public async Task A_probe_is_true_again_within_10_s_of_the_death_of_the_controller_while_another_broker_answers()
    {
        using var cluster = EmbeddedBroker.Start(brokers: 3);   // its controller is broker 1
        await using var transport = Transport.For(KafkaMode.Kafka, new KafkaOptions { Brokers = cluster.BootstrapServers }, new KafkaDiagnostics());
        (await transport.ProbeAsync(TimeSpan.FromSeconds(5), default)).Should().BeTrue();

        cluster.SetDown(1);
        cluster.SetController(2);

        await Waiting.Until(() => transport.ProbeAsync(TimeSpan.FromSeconds(1), default).GetAwaiter().GetResult(), "a probe is answered", TimeSpan.FromSeconds(10));
    }
}
