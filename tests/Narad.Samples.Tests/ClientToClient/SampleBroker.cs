using System.Globalization;
using Confluent.Kafka;
using Narad.Kafka;

namespace Narad.Samples.Tests.ClientToClient;

/// <summary>A broker for the sample, and a bare client's view of its topics.</summary>
public abstract class SampleBroker : IDisposable
{
    public abstract string Brokers { get; }

    public virtual string Topic => "client-messages";

    public virtual string Group => "client-b-group";

    public abstract void Apply(KafkaOptions clientA);

    /// <summary>The names of the three topics, as command-line settings.</summary>
    public IEnumerable<string> Settings => TopicNames.Select(topic => $"--Kafka:TopicNames:{topic.Logical}={topic.Real}")
        .Append($"--Kafka:ConsumerGroupId={Group}");

    private IEnumerable<(string Logical, string Real)> TopicNames =>
        new[] { "", "-retry", "-dlt" }.Select(suffix => ($"client-messages{suffix}", $"{Topic}{suffix}"));

    /// <summary>Gives the three topics their names.</summary>
    public void NameTopics(KafkaOptions kafka)
    {
        foreach (var (logical, real) in TopicNames)
        {
            kafka.TopicNames[logical] = real;
        }
    }

    /// <summary>Everything in the one partition of a topic.</summary>
    public IReadOnlyList<Message<byte[]?, string>> Read(string topic)
    {
        using var reader = new ConsumerBuilder<byte[]?,
            string>(new ConsumerConfig { BootstrapServers = Brokers, GroupId = "reads-only", EnableAutoCommit = false, EnablePartitionEof = true })
            .SetLogHandler((_, _) => { }).Build();
        reader.Assign(new TopicPartitionOffset(topic, 0, Offset.Beginning));
        var found = new List<Message<byte[]?, string>>();
        while (true)
        {
            var result = reader.Consume(TimeSpan.FromSeconds(20)) ?? throw new TimeoutException($"{topic} could not be read.");
            if (result.IsPartitionEOF)
            {
                return found;
            }

            found.Add(result.Message);
        }
    }

    public virtual void Dispose() => GC.SuppressFinalize(this);
}

public sealed class EmbeddedSampleBroker : SampleBroker
{
    public EmbeddedBroker Broker { get; } = EmbeddedBroker.Start();

    public override string Brokers => Broker.BootstrapServers;

    public override void Apply(KafkaOptions clientA)
    {
        clientA.Mode = KafkaMode.Embedded;
        clientA.EmbeddedBroker = Broker;
    }

    public override void Dispose()
    {
        base.Dispose();
        Broker.Dispose();
    }
}

/// <summary>The cluster that NARAD_TEST_KAFKA names, with names of its own, because others use it too.</summary>
public sealed class KafkaSampleBroker : SampleBroker
{
    private readonly string _run = Guid.CreateVersion7().ToString("n", CultureInfo.InvariantCulture);

    public override string Brokers
    {
        get
        {
            var brokers = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA");
            Skip.If(string.IsNullOrEmpty(brokers), "NARAD_TEST_KAFKA names no Kafka cluster (host:port).");
            return brokers!;
        }
    }

    public override string Topic => $"narad-test-client-messages-{_run}";

    public override string Group => $"narad-test-client-b-{_run}";

    public override void Apply(KafkaOptions clientA)
    {
        clientA.Mode = KafkaMode.Kafka;
        clientA.Brokers = Brokers;
    }
}
