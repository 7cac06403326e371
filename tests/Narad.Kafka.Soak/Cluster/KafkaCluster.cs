using System.Collections.Concurrent;
using System.Diagnostics;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Narad.Kafka.Soak.Cluster;

/// <summary>The brokers that are tested against, and the means to break them. What it broke it repairs when disposed.</summary>
internal sealed class KafkaCluster : IAsyncDisposable
{
    private readonly string _control;
    private readonly ConcurrentDictionary<int, string> _broken = new();   // broker → what brings it back

    private KafkaCluster(string brokers, string control)
    {
        Brokers = brokers;
        _control = control;
        Admin = AdminOf(brokers);
    }

    public string Brokers { get; }

    public int Size => Brokers.Split(',').Length;

    public IAdminClient Admin { get; }

    private int Replicas => Math.Min(3, Size);

    /// <summary>The cluster of this environment, or what is missing in it.</summary>
    public static (KafkaCluster? Cluster, string Fault) FromEnvironment()
    {
        var brokers = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA");
        var control = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_BROKER");
        return brokers is not { Length: > 0 } ? (null, "NARAD_TEST_KAFKA is not set: name three brokers, HOST:PORT,HOST:PORT,HOST:PORT.")
            : control is not { Length: > 0 }
            ? (null, "NARAD_TEST_KAFKA_BROKER is not set: name the command that makes brokers fail (COMMAND kill|stop|start|pause|resume N).")
            : !File.Exists(control) ? (null, $"NARAD_TEST_KAFKA_BROKER names '{control}', which does not exist.")
            : (new KafkaCluster(brokers, control), "");
    }

    /// <summary>kill, stop, start, pause or resume one broker (1 …).</summary>
    public async Task BrokerAsync(string action, int broker)
    {
        if (action is "kill" or "stop")
        {
            _broken[broker] = "start";
        }
        else if (action is "pause")
        {
            _broken[broker] = "resume";
        }

        var start = new ProcessStartInfo(_control) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        start.ArgumentList.Add(action);
        start.ArgumentList.Add(broker.ToString(System.Globalization.CultureInfo.InvariantCulture));
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync();

        // A start that takes longer than the command waits is waited for where its outcome matters.
        if (process.ExitCode != 0 && action is not ("start" or "restart"))
        {
            throw new InvalidOperationException($"{_control} {action} {broker} ended with {process.ExitCode}: {await process.StandardError.ReadToEndAsync()}");
        }

        if (action is "start" or "resume")
        {
            _broken.TryRemove(broker, out _);
        }
    }

    /// <summary>Brings back what was broken, and waits until every broker itself says that every partition of these topics has all its replicas.</summary>
    public async Task RepairAsync(IReadOnlyList<string> topics)
    {
        foreach (var (broker, action) in _broken)
        {
            await BrokerAsync(action, broker);
            for (var attempt = 1; !await AnswersAsync(broker, attempt); attempt++)
            {
                await BrokerAsync("restart", broker);   // it died while it started
            }
        }

        foreach (var topic in topics)
        {
            await Until(() => IsInSync(topic), $"all replicas of {topic} are in sync", TimeSpan.FromMinutes(4));
        }
    }

    /// <param name="topic">Its name.</param>
    /// <param name="partitions">How many.</param>
    /// <param name="unclean">On brokers 2 and 3 only, where a replica that has not everything may lead: what groups commit is on broker 1.</param>
    public async Task CreateTopicAsync(string topic, int partitions, bool unclean = false)
    {
        var specification = new TopicSpecification { Name = topic, NumPartitions = partitions, ReplicationFactor = (short)Replicas };
        if (unclean)
        {
            specification.ReplicationFactor = -1;
            specification.ReplicasAssignments = Enumerable.Range(0, partitions).ToDictionary(partition => partition, _ => new List<int> { 2, 3 });
            specification.Configs = new Dictionary<string,
                string>(StringComparer.Ordinal) { ["min.insync.replicas"] = "1", ["unclean.leader.election.enable"] = "true" };
        }

        await Until(
            () =>
            {
                try
                {
                    Admin.CreateTopicsAsync([specification]).GetAwaiter().GetResult();
                    return true;
                }
                catch (CreateTopicsException)
                {
                    return false;   // a topic of that name that is still being deleted
                }
            },
            $"{topic} is created",
            TimeSpan.FromSeconds(30));
        await Until(() => IsInSync(topic), $"{topic} has its leaders", TimeSpan.FromSeconds(30));
    }

    /// <summary>The session of a group whose members leave it to the broker (KIP-848); the broker's own default is 45 s.</summary>
    public Task SetSessionAsync(string group, TimeSpan session) =>
        SetAsync(ResourceType.Group, [group], "consumer.session.timeout.ms",
            session.TotalMilliseconds.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>Changes a setting of these topics, groups or brokers; null: back to the default.</summary>
    public async Task SetAsync(ResourceType type, IEnumerable<string> names, string setting, string? value)
    {
        foreach (var name in names)   // of brokers, one a request
        {
            var change = new ConfigEntry
            {
                Name = setting, Value = value, IncrementalOperation = value is null ? AlterConfigOpType.Delete : AlterConfigOpType.Set,
            };
            await Admin.IncrementalAlterConfigsAsync(
                new Dictionary<ConfigResource, List<ConfigEntry>> { [new ConfigResource { Type = type, Name = name }] = [change] });
        }
    }

    /// <summary>Runs one of Kafka's own tools, by its name or class, and returns what it said.</summary>
    public async Task<string> ToolAsync(params string[] arguments)
    {
        var tool = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_TOOL") is { Length: > 0 } named ? named
            : Path.Combine(Path.GetDirectoryName(_control)!, "kafka-tool");
        using var process = Process.Start(
            new ProcessStartInfo(tool, arguments) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output
            : throw new InvalidOperationException($"{tool} {string.Join(' ', arguments)} ended with {process.ExitCode}: {output}{await errors}");
    }

    public Task GrowAsync(IEnumerable<string> topics, int partitions) =>
        Admin.CreatePartitionsAsync(topics.Select(topic => new PartitionsSpecification { Topic = topic, IncreaseTo = partitions }));

    /// <summary>Each partition is led by the first of its replicas again.</summary>
    public Task PreferAsync() => ToolAsync("org.apache.kafka.tools.LeaderElectionCommand", "--election-type", "preferred", "--all-topic-partitions");

    /// <summary>Waits until a broker leads all partitions of these topics.</summary>
    public Task LedByAsync(IReadOnlyList<string> topics, int broker) => Until(
        () => topics.All(topic => Admin.GetMetadata(topic, TimeSpan.FromSeconds(10)).Topics.Single()
            .Partitions.TrueForAll(partition => partition.Leader == broker)),
        $"broker {broker} leads",
        TimeSpan.FromMinutes(2));

    public async Task<int> CoordinatorAsync(string group) =>
        (await Admin.DescribeConsumerGroupsAsync([group])).ConsumerGroupDescriptions.Single().Coordinator.Id;

    public static async Task Until(Func<bool> condition, string what, TimeSpan limit)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await Task.Run(condition))
        {
            if (Stopwatch.GetElapsedTime(started) > limit)
            {
                throw new TimeoutException($"Within {limit.TotalSeconds} s it did not come about that {what}.");
            }

            await Task.Delay(100);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await RepairAsync([]);
        Admin.Dispose();
    }

    private bool IsInSync(string topic) => Brokers.Split(',').All(broker =>
    {
        using var admin = AdminOf(broker);
        try
        {
            var found = admin.GetMetadata(topic, TimeSpan.FromSeconds(5)).Topics.Single();
            return found.Partitions.Count > 0
                && found.Partitions.TrueForAll(partition => partition.Leader >= 0 && partition.Replicas.Length >= Math.Min(2, Replicas)
                    && partition.InSyncReplicas.Length == partition.Replicas.Length);
        }
        catch (KafkaException)
        {
            return false;
        }
    });

    private async Task<bool> AnswersAsync(int broker, int attempt)
    {
        try
        {
            using var admin = AdminOf(Brokers.Split(',')[broker - 1]);
            await Until(() => Answers(admin), $"broker {broker} answers", TimeSpan.FromSeconds(60));
            return true;
        }
        catch (TimeoutException) when (attempt < 4)
        {
            return false;
        }
    }

    private static bool Answers(IAdminClient admin)
    {
        try
        {
            return admin.GetMetadata(TimeSpan.FromSeconds(3)).Brokers.Count > 0;
        }
        catch (KafkaException)
        {
            return false;
        }
    }

    private static IAdminClient AdminOf(string brokers) =>
        new AdminClientBuilder(new AdminClientConfig { BootstrapServers = brokers }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
}
