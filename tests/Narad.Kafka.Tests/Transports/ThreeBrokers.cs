using System.Diagnostics;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Narad.Kafka.Tests.Transports;

/// <summary>
/// A real cluster of three brokers that a test may break, one at a time: skips with the reason where there is none. What was broken is repaired when this is
/// disposed.
/// </summary>
internal sealed class ThreeBrokers : IAsyncDisposable
{
    private const int StartAttempts = 3;

    private readonly string _control;
    private readonly List<(int Broker, string Repair)> _broken = [];

    private ThreeBrokers(string brokers, string control)
    {
        Brokers = brokers;
        _control = control;
    }

    public string Brokers { get; }

    public static ThreeBrokers OrSkip()
    {
        var brokers = RealKafka.Brokers;
        var control = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_BROKER");
        Skip.If(brokers.Split(',').Length < 3, "NARAD_TEST_KAFKA names fewer than three brokers: one of them cannot be broken while the others continue.");
        Skip.If(string.IsNullOrEmpty(control), "NARAD_TEST_KAFKA_BROKER names no command that kills, starts, pauses and resumes a broker.");
        return new ThreeBrokers(brokers, control!);
    }

    public Task<int> CoordinatorAsync(string group) => BrokerRequest.CoordinatorOfAsync(Brokers, group);

    public async Task KillAsync(int broker)
    {
        await ControlAsync("kill", broker);
        _broken.Add((broker, "start"));
    }

    /// <summary>
    /// The command waits for a time of its own, which a loaded machine needs more than, and a broker may die while it starts: what counts is that the broker
    /// answers.
    /// </summary>
    public async Task StartAsync(int broker)
    {
        using var admin = Admin(Brokers.Split(',')[broker - 1]);
        for (var attempt = 1; ; attempt++)
        {
            await ControlAsync(attempt == 1 ? "start" : "restart", broker, mustSucceed: false);
            try
            {
                await Waiting.Until(() => Answers(admin), $"broker {broker} answers", TimeSpan.FromSeconds(60));
                _broken.Remove((broker, "start"));
                return;
            }
            catch (TimeoutException) when (attempt < StartAttempts)
            {
                // Started again.
            }
        }
    }

    /// <summary>A topic of one partition on brokers 2 and 3, which a replica may lead that has not everything.</summary>
    public async Task<string> CreateUncleanTopicAsync()
    {
        var name = RealKafka.NewName("unclean");
        using var admin = Admin();
        await admin.CreateTopicsAsync(
        [
            new TopicSpecification
            {
                Name = name,
                NumPartitions = 1,
                ReplicasAssignments = new Dictionary<int, List<int>> { [0] = [2, 3] },
                Configs = new Dictionary<string, string>(StringComparer.Ordinal) { ["min.insync.replicas"] = "1", ["unclean.leader.election.enable"] = "true" },
            },
        ]);
        return name;
    }

    /// <summary>Truncates such a topic: what is done meanwhile is lost. Broker 1 keeps what groups commit; broker 2 stays down.</summary>
    public async Task TruncateAsync(string topic, Func<Task> lost)
    {
        using var admin = Admin();
        LeaderState State() => new(admin.GetMetadata(topic, TimeSpan.FromSeconds(10)).Topics.Single().Partitions.Single());
        await KillAsync(3);
        await Waiting.Until(() => State() is { Leader: 2, InSync: 1 }, "broker 2 leads alone");
        await lost();
        await KillAsync(2);
        await StartAsync(3);
        await Waiting.Until(() => State() is { Leader: 3 }, "broker 3 leads, without what it missed", TimeSpan.FromSeconds(60));
    }

    public async Task PauseAsync(int broker)
    {
        await ControlAsync("pause", broker);
        _broken.Add((broker, "resume"));
    }

    /// <summary>Brings back what was broken, and waits until every replica of every topic is in sync: the next broken broker must not be the last.</summary>
    public async Task RepairAsync()
    {
        if (_broken.Count == 0)
        {
            return;
        }

        foreach (var (broker, repair) in _broken.ToList())
        {
            await (repair is "start" ? StartAsync(broker) : ControlAsync(repair, broker));
        }

        _broken.Clear();
        using var admin = Admin();
        await Waiting.Until(
            () =>
            {
                try
                {
                    var metadata = admin.GetMetadata(TimeSpan.FromSeconds(3));
                    return metadata.Brokers.Count == 3
                        && metadata.Topics.TrueForAll(static topic =>
                            topic.Partitions.TrueForAll(static partition => partition.InSyncReplicas.Length == partition.Replicas.Length));
                }
                catch (KafkaException)
                {
                    return false;
                }
            },
            "all replicas are in sync again",
            TimeSpan.FromMinutes(3));
    }

    public async ValueTask DisposeAsync() => await RepairAsync();

    private sealed record LeaderState(int Leader, int InSync)
    {
        public LeaderState(PartitionMetadata metadata)
            : this(metadata.Leader, metadata.InSyncReplicas.Length)
        {
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

    private IAdminClient Admin(string? brokers = null) =>
        new AdminClientBuilder(new AdminClientConfig { BootstrapServers = brokers ?? Brokers }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { })
        .Build();

    private async Task ControlAsync(string action, int broker, bool mustSucceed = true)
    {
        using var process = Process.Start(_control, [action, broker.ToString(CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync();
        if (mustSucceed)
        {
            process.ExitCode.Should().Be(0, "{0} of broker {1} must succeed", action, broker);
        }
    }
}
