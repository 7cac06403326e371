using System.Globalization;
using Confluent.Kafka;

namespace Narad.Kafka.Configuration;

/// <summary>
/// The configuration of every Confluent client, from validated <see cref="KafkaOptions"/>: security once, the promises' settings, the user's
/// raw properties last (each only to clients that know it). Thread-safe: every call returns a new configuration.
/// </summary>
internal sealed class ClientSettings
{
    // The share of a group's bytes that the client may prefetch: half. Half of that again may be queued, the other half is room for the
    // fetch that was under way when the queue filled up (the client looks at its queue before it fetches, not after).
    private const int PrefetchShare = 2;

    // librdkafka's own defaults, which are ceilings here.
    private const int DefaultFetchBytes = 52_428_800;
    private const int DefaultPartitionFetchBytes = 1_048_576;
    private const int DefaultReceiveBytes = 100_000_000;
    private const int DefaultQueuedMessages = 100_000;
    private const int MaxQueuedKilobytes = 2_097_151;
    private const int DefaultBatchBytes = 1_000_000;
    private const int LargestForwardedRecord = 1_000_000_000;
    private const int ReaderQueueKilobytes = 2_000;

    // A broker that comes back is found within about three seconds (the client adds up to half as jitter), not within its default ten.
    private const int ReconnectBackoffMaxMs = 2_000;

    // A connection attempt into the void is given up after this and made again; the client's default is 30 s.
    private const int ConnectionSetupTimeoutMs = 10_000;

    // With a prefetch queue of a few MiB the default of 1 s is an outage each time the queue is full. 1 ms gave the highest rate of 1, 10 and 50 (row consume).
    private const int FetchQueueBackoffMs = 1;

    private const int ReaderFetchWaitMs = 10;
    private const int LongestPollIntervalMs = 86_400_000;
    private const int EmbeddedCommitMs = 100;
    private const int LongestEmbeddedCommitMs = 250;
    private const int EmbeddedSessionMs = 6_000;
    private const int PatternRefreshMs = 3_000;

    // A partition that was added gets messages within seconds, not within the client's default of five minutes; what it knows of topics lasts as long as by
    // default, which the client would shorten with the interval.
    private const int ProducerRefreshMs = 5_000;
    internal const int ProducerMetadataAgeMs = 900_000;
    private const int DefaultHeartbeatMs = 3_000;

    public ClientSettings(KafkaOptions options, string bootstrapServers, bool embedded)
    {
        Options = options;
        RawProperties = options.ClientProperties;
        BootstrapServers = bootstrapServers;
        Embedded = embedded;
    }

    public KafkaOptions Options { get; }

    /// <summary>The user's raw properties; the options' unless others are to be tried.</summary>
    public IDictionary<string, string> RawProperties { get; init; }

    public string BootstrapServers { get; }

    public bool Embedded { get; }

    /// <summary>How long the embedded broker waits for messages for a group's consumer; null: <see cref="Transports.EmbeddedFetches.ShortestWait"/>.</summary>
    public Func<string, TimeSpan>? EmbeddedFetchWait { get; init; }

    /// <summary>The same at any later time; null where it stays as it is.</summary>
    public Func<TimeSpan>? FetchWaitOf(string group) =>
        EmbeddedFetchWait is { } wait && !RawProperties.ContainsKey("fetch.wait.max.ms") ? () => wait(group) : null;

    /// <summary>
    /// How many bytes of one group's <see cref="KafkaOptions.MaxBufferedBytes"/> are the client's: what is prefetched and not yet consumed. The
    /// engine holds at most the rest.
    /// </summary>
    public long PrefetchBytes => Options.MaxBufferedBytes / PrefetchShare;

    public ProducerConfig Producer()
    {
        var config = new ProducerConfig
        {
            Acks = Acks.All,
            EnableIdempotence = true,
            Partitioner = Partitioner.Murmur2Random,
            LingerMs = Options.Linger.TotalMilliseconds,
            CompressionType = Options.Compression switch
            {
                KafkaCompression.Gzip => CompressionType.Gzip,
                KafkaCompression.Snappy => CompressionType.Snappy,
                KafkaCompression.Lz4 => CompressionType.Lz4,
                KafkaCompression.Zstd => CompressionType.Zstd,
                _ => CompressionType.None,
            },
            MessageTimeoutMs = Milliseconds(Options.SendTimeout),
            TopicMetadataRefreshIntervalMs = ProducerRefreshMs,
            MetadataMaxAgeMs = ProducerMetadataAgeMs,

            // A retry record or dead letter may be as large as any message that another program sent; what the application sends is measured by us.
            MessageMaxBytes = LargestForwardedRecord,
            BatchSize = Math.Min(DefaultBatchBytes, Options.MaxMessageBytes),

            // Without "status" each report would say "possibly persisted".
            DeliveryReportFields = "value,status",
        };
        return Complete(config, ClientKind.Producer);
    }

    /// <summary>For a member of a group.</summary>
    /// <param name="group">Its id.</param>
    /// <param name="pairs">Whether partition p of one topic belongs to partition p of another: then range assigns both to one member.</param>
    public ConsumerConfig Consumer(string group, bool pairs = false)
    {
        var fetchBytes = (int)Math.Min(DefaultFetchBytes, PrefetchBytes / 2);
        var config = new ConsumerConfig
        {
            GroupId = group,

            // What is stored is committed, and only the engine stores: the one commit that never blocks the poll thread.
            EnableAutoCommit = true,
            AutoCommitIntervalMs = Milliseconds(Options.CommitInterval),
            EnableAutoOffsetStore = false,
            AutoOffsetReset = AutoOffsetReset.Error,

            // Said at each end, so that the position steps over control records, and it is seen where a retry partition ends.
            EnablePartitionEof = true,

            // A topic that a pattern matches is found within seconds of its creation, not within the five minutes that the client would take.
            TopicMetadataRefreshIntervalMs = PatternRefreshMs,
            MaxPollIntervalMs = Milliseconds(Options.MaxPollInterval),

            // The client counts 1,000 bytes to a kilobyte here. Compressed batches are measured after they were unpacked.
            QueuedMaxMessagesKbytes = (int)Math.Clamp(PrefetchBytes / 2 / 1000, 1, MaxQueuedKilobytes),
            QueuedMinMessages = Math.Min(DefaultQueuedMessages, Options.MaxBufferedMessages),
            FetchMaxBytes = fetchBytes,
            MaxPartitionFetchBytes = Math.Min(DefaultPartitionFetchBytes, fetchBytes),

            // The broker delivers a message that is larger than any fetch limit all the same, alone: so these follow the limit of a fetch,
            // and only what a response may be follows the largest message.
            MessageMaxBytes = Math.Min(Options.MaxMessageBytes, fetchBytes),
            ReceiveMessageMaxBytes = Math.Max(DefaultReceiveBytes, Math.Max(fetchBytes, Options.MaxMessageBytes) + DefaultPartitionFetchBytes),
        };
        config.Set("fetch.queue.backoff.ms", FetchQueueBackoffMs.ToString(CultureInfo.InvariantCulture));

        if (Options.GroupInstanceId is { Length: > 0 } instance)
        {
            config.GroupInstanceId = instance;
        }

        if (Embedded)
        {
            config.FetchWaitMaxMs = Milliseconds(EmbeddedFetchWait?.Invoke(group) ?? Transports.EmbeddedFetches.ShortestWait);

            // Sends wait for what is committed there (EmbeddedBackpressure): 4 MiB a partition in each of these intervals. Where fetches are rare, so are
            // commits.
            var commit = Math.Clamp(config.FetchWaitMaxMs ?? 0, EmbeddedCommitMs, LongestEmbeddedCommitMs);
            config.AutoCommitIntervalMs = Math.Min(commit, Milliseconds(Options.CommitInterval));
        }

        if (Options.GroupProtocol is KafkaGroupProtocol.Consumer)
        {
            // The broker says how long a session is and how often to beat; the client refuses to be told.
            config.GroupProtocol = GroupProtocol.Consumer;
            if (pairs || Options.Assignor is KafkaAssignor.Range)
            {
                config.GroupRemoteAssignor = "range";
            }
        }
        else
        {
            // The mock cluster lets every rebalance but a group's first take a session less a second, however quick its members are.
            var session = Embedded ? Math.Min(EmbeddedSessionMs, Milliseconds(Options.SessionTimeout)) : Milliseconds(Options.SessionTimeout);
            config.SessionTimeoutMs = session;
            config.HeartbeatIntervalMs = Math.Min(DefaultHeartbeatMs, session / 3);
            config.PartitionAssignmentStrategy = (pairs ? KafkaAssignor.Range : Options.Assignor) switch
            {
                KafkaAssignor.Range => PartitionAssignmentStrategy.Range,
                KafkaAssignor.RoundRobin => PartitionAssignmentStrategy.RoundRobin,
                _ => PartitionAssignmentStrategy.CooperativeSticky,
            };
        }

        return Complete(config, ClientKind.Consumer);
    }

    /// <summary>For a client that reads from offsets it is told, joins no group and commits nothing.</summary>
    public ConsumerConfig Reader(string group)
    {
        var config = Consumer(group);
        config.EnableAutoCommit = false;
        config.AutoOffsetReset = AutoOffsetReset.Earliest;
        config.EnablePartitionEof = true;

        // No group waits for it, so it may take its time; and one of the next protocol takes no partitions by hand.
        config.MaxPollIntervalMs = LongestPollIntervalMs;
        config.GroupProtocol = null;
        config.GroupRemoteAssignor = null;
        config.GroupInstanceId = null;

        // It is told where to begin all the time, and throws away what it fetched beyond; what it asked for at an end holds up where it continues.
        config.FetchWaitMaxMs = ReaderFetchWaitMs;
        config.QueuedMaxMessagesKbytes = Math.Min(ReaderQueueKilobytes, config.QueuedMaxMessagesKbytes ?? ReaderQueueKilobytes);
        return config;
    }

    /// <summary>For a client whose partitions are assigned by hand, all of them: it joins no group and commits nothing.</summary>
    /// <param name="name">What stands where a group's name would.</param>
    public ConsumerConfig Broadcast(string name)
    {
        var config = Consumer(name);
        config.EnableAutoCommit = false;
        config.MaxPollIntervalMs = LongestPollIntervalMs;   // no group waits for it
        config.GroupProtocol = null;                        // the next protocol takes no partitions by hand
        config.GroupRemoteAssignor = null;
        config.GroupInstanceId = null;
        return config;
    }

    /// <summary>The secrets of these settings, to be kept out of what clients say.</summary>
    public SecretHiding Secrets => SecretHiding.Of(Admin());

    public AdminClientConfig Admin() => Complete(new AdminClientConfig(), ClientKind.Admin);

    private static int Milliseconds(TimeSpan time) => (int)time.TotalMilliseconds;

    private T Complete<T>(T config, ClientKind kind)
        where T : ClientConfig
    {
        if (BootstrapServers.Length > 0)
        {
            config.BootstrapServers = BrokerList.Normalize(BootstrapServers);
        }

        config.ClientId = Options.ClientId;
        config.SocketKeepaliveEnable = true;
        config.SocketConnectionSetupTimeoutMs = ConnectionSetupTimeoutMs;
        config.ReconnectBackoffMaxMs = ReconnectBackoffMaxMs;
        if (!Embedded)
        {
            Secure(config);
            foreach (var (name, value) in ProviderProfile.Properties(Options))
            {
                if (ClientProperties.IsFor(name, kind))
                {
                    config.Set(name, value);
                }
            }
        }

        foreach (var (name, value) in RawProperties)
        {
            if (ClientProperties.IsFor(name, kind) && !(Embedded && ClientProperties.IsSecurity(name)))
            {
                config.Set(name, value);
            }
        }

        return config;
    }

    private void Secure(ClientConfig config)
    {
        var sasl = SaslMechanisms.IsUsed(Options.Sasl);
        config.SecurityProtocol = (sasl, Options.Ssl.Enabled) switch
        {
            (true, true) => SecurityProtocol.SaslSsl,
            (true, false) => SecurityProtocol.SaslPlaintext,
            (false, true) => SecurityProtocol.Ssl,
            (false, false) => SecurityProtocol.Plaintext,
        };
        if (sasl)
        {
            config.SaslMechanism = SaslMechanisms.Parse(Options.Sasl.Mechanism);
            if (!SaslMechanisms.MakesTokens(Options.Sasl.Mechanism))
            {
                config.SaslUsername = Options.Sasl.Username;
                config.SaslPassword = Options.Sasl.Password;
            }
        }

        if (!Options.Ssl.Enabled)
        {
            return;
        }

        if (!Options.Ssl.RejectUnauthorized)
        {
            config.EnableSslCertificateVerification = false;
        }

        if (CertificateText.TryPem(Options.Ssl.Ca, out var pem))
        {
            config.SslCaPem = pem;
        }
        else if (!string.IsNullOrWhiteSpace(Options.Ssl.Ca))
        {
            config.SslCaLocation = Options.Ssl.Ca.Trim();
        }

        ClientCertificate.Give(Options.Ssl, config);
    }
}
