using Confluent.Kafka;

namespace Narad.Kafka.Testing.Tests;

/// <summary>The fixture as its users meet it.</summary>
public sealed class EmbeddedKafkaTests(EmbeddedKafka kafka) : IClassFixture<EmbeddedKafka>
{
    [Fact]
    public void Topics_and_names_are_new_each_time()
    {
        var first = kafka.CreateTopic(partitions: 2);
        var second = kafka.CreateTopic();
        second.Should().NotBe(first);
        kafka.Broker.Topics[first].Should().Be(2);
        kafka.Broker.Topics[second].Should().Be(6);
        kafka.NewName("group").Should().StartWith("group-").And.NotBe(kafka.NewName("group"));
    }

    [Fact]
    public void Its_options_name_the_broker_and_can_be_changed()
    {
        var options = kafka.CreateOptions(changed => changed.ClientId = "mine");
        options.Mode.Should().Be(KafkaMode.Embedded);
        options.EmbeddedBroker.Should().BeSameAs(kafka.Broker);
        options.ClientId.Should().Be("mine");
    }

    [Fact]
    public async Task Faults_come_and_go()
    {
        await using var broken = EmbeddedKafka.Start(brokers: 2);
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = broken.BootstrapServers, ReconnectBackoffMaxMs = 200 })
            .SetLogHandler((_, _) => { }).Build();
        int Brokers() => admin.GetMetadata(TimeSpan.FromSeconds(1)).Brokers.Count;
        Brokers().Should().Be(2);

        broken.StopBrokers();
        FluentActions.Invoking(Brokers).Should().Throw<KafkaException>();
        broken.SetLatency(TimeSpan.FromMinutes(1));
        broken.Broker.FailNext(KafkaRequest.ApiVersions, Enumerable.Repeat(ErrorCode.Local_Transport, 1_000).ToArray());

        broken.ClearFaults();
        var deadline = DateTime.UtcNow.AddSeconds(10);
        while (true)
        {
            try
            {
                Brokers().Should().Be(2);
                return;
            }
            catch (KafkaException) when (DateTime.UtcNow < deadline)
            {
                // The client is still on its way back.
            }
        }
    }
}
