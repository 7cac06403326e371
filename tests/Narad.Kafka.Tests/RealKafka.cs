using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Narad.Kafka.Tests;

/// <summary>
/// The real cluster that NARAD_TEST_KAFKA names, for tests of ours: skips with the reason where there is none; topics have names of their own.
/// </summary>
internal static class RealKafka
{
    /// <summary>The cluster's address; skips the test where there is none.</summary>
    public static string Brokers
    {
        get
        {
            var brokers = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA");
            Skip.If(string.IsNullOrEmpty(brokers), "NARAD_TEST_KAFKA names no Kafka cluster (host:port).");
            return brokers!;
        }
    }

    /// <summary>What a variable names; skips the test where it is not set.</summary>
    public static string Variable(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        Skip.If(string.IsNullOrEmpty(value), $"{name} is not set.");
        return value!;
    }

    /// <summary>A name that no other test uses.</summary>
    public static string NewName(string what) => $"narad-test-{what}-{Guid.CreateVersion7():n}";

    /// <summary>Creates a topic with a name of its own.</summary>
    public static async Task<string> CreateTopicAsync(int partitions = 1, Dictionary<string, string>? settings = null)
    {
        var name = NewName("topic");
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Brokers }).SetLogHandler((_, _) => { }).Build();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = name, NumPartitions = partitions, Configs = settings }]);
        await SeenAsync(admin, name, partitions);
        return name;
    }

    /// <summary>Waits until the brokers know this many partitions of the topic: the controller answers before they do.</summary>
    public static Task SeenAsync(IAdminClient admin, string topic, int partitions) => Waiting.Until(
        () => admin.GetMetadata(topic, TimeSpan.FromSeconds(10)).Topics.Single() is { Error.IsError: false } found
            && found.Partitions.Count(static partition => partition.Leader >= 0) == partitions,
        $"the brokers know {topic} with {partitions} partition(s)");
}
