using System.Net;
using System.Net.Sockets;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Tests.OwnProcess;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Transports;

/// <summary>That the process survives every answer of a broker. What may abort it runs in a process of its own, so that it shows as an exit code.</summary>
public sealed class SurvivalTests
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(10);

    [Fact]
    [Trait("Trap", "admin-call-aborts")]
    public async Task The_process_survives_every_answer_to_requests_for_metadata_and_connects_again_after_each()
    {
        var (exitCode, output) = await ChildProcess.RunAsync(nameof(BadMetadata));
        exitCode.Should().Be(0, output);
        output.Should().Contain("survived").And.ContainAll(Enum.GetNames<MetadataAnswer>());
    }

    [Fact]
    public async Task The_process_survives_an_embedded_broker_that_goes_away_hangs_and_closes_connections()
    {
        var (exitCode, output) = await ChildProcess.RunAsync(nameof(HangingEmbeddedBroker));
        exitCode.Should().Be(0, output);
        output.Should().Contain("survived");
    }

    [Fact]
    [Trait("Trap", "admin-call-aborts")]
    public async Task The_clients_own_administration_request_still_aborts_the_process_where_an_answer_names_no_brokers()
    {
        var (exitCode, output) = await ChildProcess.RunAsync(nameof(BadMetadata.AskAsAdministratorAsync));
        exitCode.Should().NotBe(0, "then the administration client could be used again");
        output.Should().Contain("rd_kafka_admin_response_parse");
    }

    [Fact, Trait("Promise", "S3")]
    public async Task Without_a_named_broker_the_probe_is_false_and_says_so_until_one_is_named_again()
    {
        using var broker = new FakeBroker();
        await using var transport = Transport.For(KafkaMode.Kafka, new KafkaOptions { Brokers = broker.Address }, new KafkaDiagnostics());
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeTrue();
        transport.ConnectionFault.Should().BeNull();

        broker.Answer = MetadataAnswer.NoBrokers;
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeFalse();
        transport.ConnectionFault!.ToString().Should().Contain("named no broker of the cluster");

        broker.Answer = MetadataAnswer.Good;
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeTrue();
        transport.ConnectionFault.Should().BeNull();
    }

    [Fact, Trait("Promise", "S3")]
    public async Task A_broker_that_names_an_address_where_nobody_listens_does_not_pass_for_connected()
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var nobody = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        using var broker = new FakeBroker(nobody);
        await using var transport = Transport.For(KafkaMode.Kafka, new KafkaOptions { Brokers = broker.Address }, new KafkaDiagnostics());
        (await transport.ProbeAsync(TimeSpan.FromSeconds(3), default)).Should().BeFalse();
        transport.ConnectionFault!.ToString().Should().Contain($"127.0.0.1:{nobody}");
    }

    [Fact]
    public async Task Topics_are_described_with_partitions_and_ids_and_an_incomplete_answer_is_a_failure_and_not_a_missing_topic()
    {
        using var broker = new FakeBroker();
        await using var transport = Transport.For(
            KafkaMode.Kafka, new KafkaOptions { Brokers = broker.Address, ConnectTimeout = ProbeTimeout }, new KafkaDiagnostics());
        var topics = (KafkaTopics)transport.Topics;
        (await topics.GetPartitionCountsAsync(["a", "bb"])).Should().Equal(new Dictionary<string, int> { ["a"] = 1, ["bb"] = 1 });
        (await topics.SeeAsync(["a", "bb"], default)).Should().Equal(new Dictionary<string, TopicSight>
        {
            ["a"] = new($"{1:x16}{1:x16}", Partitions: 1),
            ["bb"] = new($"{1:x16}{2:x16}", Partitions: 1),
        });
        (await transport.DescribeClusterAsync(ProbeTimeout, default)).Should()
            .BeEquivalentTo(new { ClusterId = "fake", Brokers = (ClusterBroker[])[new(1, "127.0.0.1", broker.Port)] });

        broker.Answer = MetadataAnswer.NoTopics;
        (await topics.Awaiting(t => t.GetPartitionCountsAsync(["a", "bb"])).Should().ThrowAsync<KafkaTopicException>())
            .WithMessage("*did not say whether there is a topic a*");
        broker.Answer = MetadataAnswer.Nothing;
        (await topics.Awaiting(t => t.GetPartitionCountsAsync(["a"])).Should().ThrowAsync<KafkaTopicException>())
            .WithMessage("*named no broker of the cluster*");
    }
}
