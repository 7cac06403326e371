using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Soak.Verification;
using Narad.Kafka.Soak.Cluster;
using Narad.Kafka.Soak.Load;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>
/// What operators do to a cluster while a service works. Each is one act under a steady load of two members, what their health must say meanwhile, and how
/// it is undone. After that the members must be healthy and the recorder clean.
/// </summary>
internal static class Operators
{
    private const string Scram = "narad-soak";

    // What is logged where messages are lost that waited in a retry topic.
    private static readonly string[] Losses = ["RetriesGone", "RetryTopicDeleted", "LogTruncated", "ReadAndTruncated"];

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Steady = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AfterFault = MemberOptions.Session + TimeSpan.FromSeconds(6);

    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("log-truncated", "an unclean leader election cuts the logs: the partitions stop and say so, and continue there", TruncatedAsync) { Unclean = "" },
        Failing("retry-truncated", "the same with the retry topics, while messages wait: said, nothing else is lost", RetryTruncatedAsync, unclean: "-retry"),
        Failing("retry-deleted", "the retry topics are deleted while messages wait there: said, created again, nothing else is lost", RetryDeletedAsync),
        Failing("retry-retention", "the retention of the retry topics is lowered and restored: said early, nothing else is lost", RetryRetentionAsync),
        Again("reset-memory", "the offsets of a group that repeats in memory are reset: everything is handled again", static _ => null, DeleteOffsets: false),
        Again("reset-retry", "the same with retry topics, while messages wait there", static _ => new FailingWork(), DeleteOffsets: false),
        Again("reset-key-order", "the same with keys kept in order", static seed => new KeyOrderWork(seed, KafkaGroupProtocol.Classic), DeleteOffsets: false),
        Again("deleted-key-order", "the same where the group is deleted", static seed =>
            new KeyOrderWork(seed, KafkaGroupProtocol.Classic), DeleteOffsets: true),
        new("admin-dies", "the administration client of each member dies again and again: it is replaced, and the members are healthy", AdminDiesAsync),
        new("topic-right", "the right to read the topics is taken away and given back (classic)", TopicRightAsync),
        new("topic-right-consumer", "the same with the consumer protocol", run => RightAsync(run, ResourceType.Topic, KafkaGroupProtocol.Consumer)),
        new("group-right", "the right to read the group is taken away and given back (classic)", GroupRightAsync),
        new("group-right-consumer", "the same with the consumer protocol", run => RightAsync(run, ResourceType.Group, KafkaGroupProtocol.Consumer)),
        KeyOrderState("partitions-key-order", "partitions are added to topics whose keys are kept in order, and later to their retry topics", GrowAsync),
        new("limit-lowered", "max.message.bytes is lowered and restored under load: nothing fails, and sends go together again", LimitAsync) { Rate = 2_000 },
        new("preferred-leaders", "leaders are moved, and the preferred ones elected again and again", PreferredAsync),
        new("reassigned", "all partitions are moved to other leaders and back", ReassignedAsync),
        new("coordinator-moved", "the broker that coordinates the group is stopped and started", CoordinatorAsync),
        new("records-deleted", "records are deleted before slow members handle them: the partitions stop, and continue when told", RecordsDeletedAsync),
        new("quota", "10 kB/s for all clients, and lifted again: nothing is lost", QuotaAsync) { Rate = 100 },
        new("password-rotated", "the password is changed while connected, a broker restarts, and the old one is set again", PasswordAsync)
        {
            Configure = static options => Login(options, "scram-sha-256", Scram, "before"),
        },
        new("certificate-replaced", "the brokers' certificates are replaced by strangers', and put back", CertificateAsync) { Configure = Tls },
        Failing("append-time", "the topics and their retry topics turn to LogAppendTime and back", AppendTimeAsync),
        Failing("not-enough-replicas", "too few replicas for a minute: sends and retries wait", NotEnoughAsync),
    ];

    private static Scenario Failing(string name, string outcome, Func<TestRun, Task> run, string? unclean = null) =>
        new(name, outcome, run) { Work = static _ => new FailingWork(), FinishAsync = FailingHandlers.FinishAsync, Unclean = unclean };

    private static Scenario KeyOrderState(string name, string outcome, Func<TestRun, Task> run) =>
        new(name, outcome, run) { Work = static seed =>
            new KeyOrderWork(seed, KafkaGroupProtocol.Classic), FinishAsync = KeyOrderScenarios.FinishAsync, Rate = 200 };

    // Offsets are reset while messages wait; in the end each message of before is handled once more, or a dead letter once more.
    private static Scenario Again(string name, string outcome, Func<int, Work?> work, bool DeleteOffsets)
    {
        long reset = 0;
        var failing = work(0) is not null;
        return new Scenario(name, outcome, async run => reset = await ResetAsync(run, DeleteOffsets))
        {
            Rate = 200,
            Work = failing ? seed => work(seed)! : null,
            FinishAsync = async run =>
            {
                IVerdict verdict;
                var again = new HashSet<(int, int)>();
                if (failing)
                {
                    var (verified, _, _, deadLetters) = await FailingHandlers.AddUpAsync(run);
                    verdict = verified;
                    var at = new Windows([(reset, Stopwatch.GetTimestamp() + (3_600 * Stopwatch.Frequency))]);
                    var later = deadLetters.Where(letter => at.Contains(letter.Written));
                    again.UnionWith(later.Select(static letter => (letter.Place.Key, letter.Place.Sequence)));
                }
                else
                {
                    verdict = await run.FinishAsync();
                }

                again.UnionWith(run.Recorder.Handlings.Where(handling => handling.Started >= reset)
                    .Select(static handling => (handling.Key, handling.Sequence)));
                var missing = run.Recorder.Sends().Where(sent => !again.Contains((sent.Key, sent.Sequence))).ToList();
                var examples = string.Concat(missing.Take(3).Select(static one => $"; key {one.Key} number {one.Sequence}"));
                run.Check(missing.Count == 0,
                    $"all {run.Recorder.Sent} messages were handled, or dead letters, after the reset; not {missing.Count}{examples}");
                return verdict;
            },
        };
    }

    /// <summary>Two members and a load; the act; what health says of it; what undoes it; health again.</summary>
    /// <param name="run">The run.</param>
    /// <param name="act">What is done.</param>
    /// <param name="undo">What ends it; null: the act is over when it returns.</param>
    /// <param name="says">What the health of a member says meanwhile; null: nothing is asked.</param>
    /// <param name="lasts">Seconds that it lasts at least.</param>
    /// <param name="logs">Events that are logged.</param>
    /// <param name="member">Settings of the members.</param>
    /// <param name="work">What their handlers do.</param>
    private static async Task ActAsync(
        TestRun run,
        Func<Task> act,
        Func<Task>? undo = null,
        string? says = null,
        double lasts = 10,
        string[]? logs = null,
        Action<KafkaOptions>? member = null,
        Func<int, int, CancellationToken, Task>? work = null)
    {
        for (var number = 1; number <= 2; number++)
        {
            await run.JoinAsync(
                options =>
                {
                    options.DegradedAfter = TimeSpan.FromSeconds(1);
                    options.UnhealthyAfter = TimeSpan.FromSeconds(5);
                    member?.Invoke(options);
                },
                work);
        }

        await run.SendAsync();
        await Task.Delay(Steady);
        var began = Stopwatch.GetTimestamp();
        run.Say($"it begins; {run.Status()}");
        await act();
        if (says is not null)
        {
            await run.BecomesAsync(says, Limit);
        }

        await Task.Delay(TimeSpan.FromSeconds(lasts));
        if (undo is not null)
        {
            run.Say($"it is undone; {run.Status()}");
            await undo();
        }

        await run.BecomesAsync(says: null, Limit);
        run.Recorder.Fault(began, Recorder.BeforeFault, AfterFault);
        await Task.Delay(Steady);
        foreach (var name in logs ?? [])
        {
            run.Check(run.Events.Has(name), $"event {name} is logged");
        }
    }

    // While broker 3 is down what is sent is on broker 2 alone; that one dies, and 3 leads without it.
    private static async Task<Dictionary<string, long>> ElectUncleanAsync(TestRun run, IReadOnlyList<string> topics, Func<Task> lost)
    {
        await run.Cluster.BrokerAsync("kill", 3);
        await run.Cluster.LedByAsync(topics, 2);
        await lost();
        await run.Cluster.BrokerAsync("kill", 2);
        await run.Cluster.BrokerAsync("start", 3);
        await run.Cluster.LedByAsync(topics, 3);
        var ends = await TopicReader.EndsAsync(run.Cluster, topics);
        run.Say($"broker 3 leads without what it missed; {run.Status()}");
        await run.Cluster.BrokerAsync("start", 2);
        return ends;
    }

    private static async Task TruncatedAsync(TestRun run)
    {
        await run.JoinAsync();
        await run.JoinAsync();
        await run.SendAllAsync(2_000);
        var began = Stopwatch.GetTimestamp();
        Dictionary<string, long> before = [];
        var cut = await ElectUncleanAsync(run, run.Topics, async () =>
        {
            await run.SendAllAsync(1_000);
            await run.ReadAsync();
            await run.SettleAsync();
            before = await TopicReader.EndsAsync(run.Cluster, run.Topics);
            await FailingHandlers.SettleAsync(run, (run.Group, run.Topics));
        });
        var shorter = before.Where(end => cut.GetValueOrDefault(end.Key) < end.Value).Select(static end => end.Key).ToHashSet(StringComparer.Ordinal);
        var what = $"all {shorter.Count} partitions that were cut stop";
        await KafkaCluster.Until(() => run.Members.Sum(static member => member.Stopped.Count()) == shorter.Count, what, Limit);
        var stopped = run.Members.SelectMany(static member => member.Stopped).ToList();
        bool Says(StoppedPartition one) =>
            shorter.Contains(one.Partition.ToString()) && one.Reason.Message.Contains("truncated", StringComparison.OrdinalIgnoreCase);
        run.Check(stopped.TrueForAll(Says), $"they say so: {stopped[0].Reason.Message}");
        await run.BecomesAsync("stopped at offset", Limit);
        await run.SendAllAsync(1_000);
        await run.ReadAsync();
        foreach (var member in run.Members)
        {
            await member.GoOnAsync(partition => cut.GetValueOrDefault(partition.ToString()));
        }

        await run.BecomesAsync(says: null, Limit);
        run.Recorder.Fault(began, Recorder.BeforeFault, AfterFault);
    }

    // Where the committed offsets are not cut, the partitions need not stop.
    private static Task RetryTruncatedAsync(TestRun run)
    {
        Dictionary<string, long> cut = [];
        return DeletingAsync(
            run,
            async () => cut = await ElectUncleanAsync(run, run.RetryTopics, () => Task.Delay(TimeSpan.FromSeconds(10))),
            () => Task.WhenAll(run.Members.Select(member => member.GoOnAsync(partition => cut.GetValueOrDefault(partition.ToString())))));
    }

    private static Task RetryDeletedAsync(TestRun run) => DeletingAsync(run, () => run.Cluster.Admin.DeleteTopicsAsync(run.RetryTopics));

    private static Task RetryRetentionAsync(TestRun run)
    {
        Task SetAsync(string milliseconds) => run.Cluster.SetAsync(ResourceType.Topic, run.RetryTopics, "retention.ms", milliseconds);
        return DeletingAsync(run, () => SetAsync("1000"), () => SetAsync("-1"), says: "retention.ms", logs: ["RetriesWillBeLost", "RetriesAreKept"]);
    }

    // What waited in a retry topic goes with it. All else must be handled; and what went must be what had failed and not been tried again.
    private static async Task DeletingAsync(TestRun run, Func<Task> act, Func<Task>? undo = null, string? says = null, string[]? logs = null)
    {
        await ActAsync(run, act, undo, says, lasts: 20, logs);
        var deleted = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        await run.EndLoadAsync();
        await FailingHandlers.SettleAsync(run, (run.Group, run.Topics), (run.Work!.RetryGroup(run.Group), run.RetryTopics));
        var deadLetters = await TopicReader.ReadForwardedAsync(run.Cluster, run.DeadLetterTopics);
        var dead = deadLetters.Select(static letter => (letter.Place.Key, letter.Place.Sequence)).ToHashSet();
        var waiting = run.Recorder.Invocations.GroupBy(static one => (one.Handling.Key, one.Handling.Sequence))
            .Where(message => !run.Recorder.IsHandled(message.Key.Key, message.Key.Sequence) && !dead.Contains(message.Key))
            .Where(message => message.Max(static one => one.At) < deleted)
            .Select(static message => message.Key).ToList();
        run.Say($"{waiting.Count} messages had failed, and waited in what was deleted");
        run.Delete(waiting.Select(static message => new LogRecord("", 0, message.Key, message.Sequence)));
        run.Check(waiting.Count == 0 || Losses.Any(run.Events.Has), "that is logged");
    }

    private static async Task<long> ResetAsync(TestRun run, bool deleteOffsets)
    {
        await run.JoinAsync(null, null, Repeating);
        await run.JoinAsync(null, null, Repeating);
        await run.SendAsync();
        await Task.Delay(TimeSpan.FromSeconds(15));
        await run.StopSendingAsync();
        foreach (var member in run.Members.ToList())
        {
            await run.LeaveAsync(member);
        }

        var reset = Stopwatch.GetTimestamp();
        run.Say($"the members left while messages wait; {run.Status()}");
        var first = run.Topics.SelectMany(static topic => Enumerable.Range(0, 6).Select(partition => new TopicPartitionOffset(topic, partition, 0))).ToList();
        Task AlterAsync() => deleteOffsets
            ? run.Cluster.Admin.DeleteGroupsAsync([run.Group])
            : run.Cluster.Admin.AlterConsumerGroupOffsetsAsync([new ConsumerGroupTopicPartitionOffsets(run.Group, first)]);
        await KafkaCluster.Until(() => Succeeds(AlterAsync), "the offsets of the empty group are reset", Limit);
        await run.JoinAsync(null, null, Repeating);
        await run.JoinAsync(null, null, Repeating);
        run.Recorder.Fault(run.Started, TimeSpan.Zero, TimeSpan.FromHours(1));
        run.Recorder.Disturb(run.Started, TimeSpan.FromHours(1));
        return reset;

        static void Repeating(SubscriptionOptions options) =>
            (options.Retry.InMemory.MaxAttempts, options.Retry.InMemory.Delay) = (2, TimeSpan.FromMilliseconds(100));
    }

    private static Task AdminDiesAsync(TestRun run) => ActAsync(run, async () =>
    {
        for (var death = 0; death < 20; death++)
        {
            foreach (var member in run.Members)
            {
                var admin = (await member.Service.ConnectTransportAsync()).Admin!;
                await Task.Run(() => Succeeds(() => admin.CallAsync(
                    client =>
                    {
                        client.Dispose();
                        return Task.FromResult(true);
                    },
                    Steady,
                    CancellationToken.None)));
            }

            await Task.Delay(500);
        }

        await run.BecomesAsync(says: null, Limit);

        // The look-outs for topics live on them.
        await run.Cluster.GrowAsync(run.Topics, 9);
        await KafkaCluster.Until(() => run.Members.Sum(static member => member.Partitions) == 9 * run.Topics.Count, "all partitions are assigned", Limit);
    });

    private static Task CoordinatorAsync(TestRun run) =>
        ActAsync(run, async () => await run.BreakAsync("stop", await run.Cluster.CoordinatorAsync(run.Group), TimeSpan.FromSeconds(10)));

    private static Task TopicRightAsync(TestRun run) => RightAsync(run, ResourceType.Topic, KafkaGroupProtocol.Classic);

    private static Task GroupRightAsync(TestRun run) => RightAsync(run, ResourceType.Group, KafkaGroupProtocol.Classic);

    private static async Task RightAsync(TestRun run, ResourceType type, KafkaGroupProtocol protocol)
    {
        if (protocol is KafkaGroupProtocol.Consumer)
        {
            await run.Cluster.SetSessionAsync(run.Group, MemberOptions.Session);
        }

        IReadOnlyList<string> names = type is ResourceType.Topic ? run.Topics : [run.Group];
        var right = Entries("User:denied", AclOperation.Read);
        var closed = Entries("User:nobody-at-all", AclOperation.All);
        await run.Cluster.Admin.CreateAclsAsync([.. right, .. closed]);
        await ActAsync(
            run,
            () => run.Cluster.Admin.DeleteAclsAsync(right.Select(static entry => entry.ToFilter())),
            () => run.Cluster.Admin.CreateAclsAsync(right),
            says: "Unhealthy",
            lasts: 20,
            member: options =>
            {
                options.GroupProtocol = protocol;
                options.Brokers = Variable("NARAD_TEST_KAFKA_SASL");
                Login(options, "plain", "denied", "denied-secret");
            });
        var subscriptions = run.Members.SelectMany(static member => member.Subscriptions);
        run.Check(subscriptions.All(static subscription => subscription.State is SubscriptionState.Running), "every subscription is running");
        await run.Cluster.Admin.DeleteAclsAsync([.. right.Concat(closed).Select(static entry => entry.ToFilter())]);

        List<AclBinding> Entries(string principal, AclOperation operation) => [.. names.Select(name => new AclBinding
        {
            Pattern = new ResourcePattern { Type = type, Name = name, ResourcePatternType = ResourcePatternType.Literal },
            Entry = new AccessControlEntry { Principal = principal, Host = "*", Operation = operation, PermissionType = AclPermissionType.Allow },
        })];
    }

    private static Task GrowAsync(TestRun run)
    {
        Task AddAsync(IEnumerable<string> topics) => run.Cluster.GrowAsync(topics, 9);
        return ActAsync(run, () => AddAsync(run.Topics.Concat(run.DeadLetterTopics)), () => AddAsync(run.RetryTopics), says: "kafka-topics --alter");
    }

    private static Task LimitAsync(TestRun run)
    {
        Task SetAsync(string? bytes) => run.Cluster.SetAsync(ResourceType.Topic, run.Topics, "max.message.bytes", bytes);
        return ActAsync(run, () => SetAsync("300"), () => SetAsync(null), lasts: 15, logs: ["BatchRefused", "LimitRaised"]);
    }

    private static Task PreferredAsync(TestRun run) => ActAsync(run, async () =>
    {
        for (var round = 1; round <= 2; round++)
        {
            await run.BreakAsync("stop", round, TimeSpan.FromSeconds(3));   // its leaders move away
            await run.Cluster.PreferAsync();
            await Task.Delay(TimeSpan.FromSeconds(5));
        }
    });

    private static Task ReassignedAsync(TestRun run) => ActAsync(run, async () =>
    {
        foreach (var replicas in (string[])["[2,3,1]", "[3,1,2]", "[1,2,3]"])
        {
            var file = Path.GetTempFileName();
            var moves = run.Topics.SelectMany(topic => Enumerable.Range(0, 6).Select(partition =>
                $$"""{"topic":"{{topic}}","partition":{{partition}},"replicas":{{replicas}}}"""));
            await File.WriteAllTextAsync(file, $$"""{"version":1,"partitions":[{{string.Join(',', moves)}}]}""");
            await run.Cluster.ToolAsync("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--reassignment-json-file", file, "--execute");
            await run.Cluster.PreferAsync();
            await run.Cluster.LedByAsync(run.Topics, replicas[1] - '0');
            run.Say($"all partitions are led by broker {replicas[1]}; {run.Status()}");
            File.Delete(file);
        }
    });

    private static async Task RecordsDeletedAsync(TestRun run)
    {
        var slow = true;
        await ActAsync(
            run,
            async () =>
            {
                await run.StopSendingAsync();
                await run.ReadAsync();
                var ends = await TopicReader.EndsAsync(run.Cluster, run.Topics);
                await run.Cluster.Admin.DeleteRecordsAsync(ends.Select(end => Parse(end.Key, end.Value - 5)));
                run.Say($"all but the last five records of each partition are deleted; {run.Status()}");
                Volatile.Write(ref slow, false);
            },
            async () =>
            {
                foreach (var member in run.Members)
                {
                    run.Say($"resumed {await member.GoOnAsync(static _ => null)} of {member.Partitions}");
                }
            },
            says: "stopped at offset",
            lasts: 10,
            member: static options => options.MaxBufferedMessages = 20,
            work: (_, _, cancellationToken) => Volatile.Read(ref slow) ? Task.Delay(2_000, cancellationToken) : Task.CompletedTask);
        var logs = run.Records.GroupBy(static record => record.Log, StringComparer.Ordinal);
        var kept = logs.SelectMany(static log => log.OrderByDescending(static record => record.Offset).Take(5)).ToHashSet();
        var gone = run.Records.Where(record => !kept.Contains(record) && !run.Recorder.IsHandled(record.Key, record.Sequence)).ToList();
        run.Say($"{gone.Count} messages were deleted before they were handled");
        run.Delete(gone);
    }

    private static Task QuotaAsync(TestRun run)
    {
        Task SetAsync(string action, string value) =>
            run.Cluster.ToolAsync("configs", "--alter", action, value, "--entity-type", "clients", "--entity-default");
        return ActAsync(
            run,
            () => SetAsync("--add-config", "producer_byte_rate=10000,consumer_byte_rate=10000"),
            () => SetAsync("--delete-config", "producer_byte_rate,consumer_byte_rate"),
            lasts: 40);
    }

    private static async Task PasswordAsync(TestRun run)
    {
        Task SetAsync(string password) => run.Cluster.Admin.AlterUserScramCredentialsAsync(
        [
            new UserScramCredentialUpsertion
            {
                User = Scram,
                ScramCredentialInfo = new ScramCredentialInfo { Mechanism = ScramMechanism.ScramSha256, Iterations = 4_096 },
                Password = System.Text.Encoding.UTF8.GetBytes(password),
            },
        ]);
        await SetAsync("before");
        await Task.Delay(TimeSpan.FromSeconds(2));
        await ActAsync(
            run,
            async () =>
            {
                await SetAsync("after");
                await Task.Delay(TimeSpan.FromSeconds(10));
                await run.BecomesAsync(says: null, TimeSpan.FromSeconds(1));   // who is connected stays so
                await run.BreakAsync("stop", 1, TimeSpan.FromSeconds(1));
                await run.Cluster.PreferAsync();   // it leads again, so it is connected to
            },
            () => SetAsync("before"),
            says: "Unhealthy",
            lasts: 10);
    }

    private static async Task CertificateAsync(TestRun run)
    {
        var folder = Path.GetDirectoryName(Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_CA"))!;
        var stranger = Path.Combine(folder, $"{run.Run}.pem");
        await File.WriteAllTextAsync(stranger, IssueServer(Path.Combine(folder, "other-ca.pem"), Path.Combine(folder, "other-ca.key")));
        Task SetAsync(string? file) => run.Cluster.SetAsync(ResourceType.Broker, ["1", "2", "3"], "listener.name.sasl_ssl.ssl.keystore.location", file);
        await ActAsync(
            run,
            async () =>
            {
                await SetAsync(stranger);
                await Task.Delay(TimeSpan.FromSeconds(10));
                await run.BecomesAsync(says: null, TimeSpan.FromSeconds(1));
                await run.BreakAsync("stop", 1, TimeSpan.FromSeconds(1));
                await run.Cluster.PreferAsync();   // it leads again, so it is connected to
            },
            () => SetAsync(null),
            says: "Unhealthy",
            lasts: 20);
        File.Delete(stranger);
    }

    // For the same names, which is what a broker asks of a new one while it runs.
    private static string IssueServer(string authority, string authorityKey)
    {
        using var issuer = X509Certificate2.CreateFromPemFile(authority, authorityKey);
        using var key = RSA.Create(2_048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(issuer, new DateTimeOffset(issuer.NotBefore), new DateTimeOffset(issuer.NotAfter), RandomNumberGenerator.GetBytes(8));
        return $"{key.ExportPkcs8PrivateKeyPem()}\n{issued.ExportCertificatePem()}\n";
    }

    private static Task AppendTimeAsync(TestRun run)
    {
        Task SetAsync(string? type) => run.Cluster.SetAsync(ResourceType.Topic, run.AllTopics, "message.timestamp.type", type);
        return ActAsync(run, () => SetAsync("LogAppendTime"), () => SetAsync(null), lasts: 30);
    }

    private static Task NotEnoughAsync(TestRun run)
    {
        Task SetAsync(string? replicas) => run.Cluster.SetAsync(ResourceType.Topic, run.AllTopics, "min.insync.replicas", replicas);
        return ActAsync(
            run,
            async () =>
            {
                await SetAsync("3");
                await run.Cluster.BrokerAsync("stop", 3);
            },
            async () =>
            {
                await SetAsync(null);
                await run.Cluster.RepairAsync(run.AllTopics);
            },
            lasts: 60);
    }

    private static void Login(KafkaOptions options, string mechanism, string user, string password)
    {
        options.Brokers = Variable("NARAD_TEST_KAFKA_SASL");
        options.Sasl.Mechanism = mechanism;
        options.Sasl.Username = user;
        options.Sasl.Password = password;
    }

    private static void Tls(KafkaOptions options)
    {
        Login(options, "scram-sha-256", Variable("NARAD_TEST_KAFKA_USER"), Variable("NARAD_TEST_KAFKA_PASSWORD"));
        options.Brokers = Variable("NARAD_TEST_KAFKA_SASL_SSL");
        options.Ssl.Enabled = true;
        options.Ssl.Ca = Variable("NARAD_TEST_KAFKA_CA");
    }

    private static TopicPartitionOffset Parse(string partition, long offset)
    {
        var bracket = partition.LastIndexOf('[');
        var number = int.Parse(partition.AsSpan(bracket).Trim("[]"), CultureInfo.InvariantCulture);
        return new TopicPartitionOffset(partition[..bracket], number, Math.Max(0, offset));
    }

    private static string Variable(string name) => Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is not set.");

    private static bool Succeeds(Func<Task> request)
    {
        try
        {
            request().GetAwaiter().GetResult();
            return true;
        }
        catch (KafkaException)
        {
            return false;
        }
    }
}
