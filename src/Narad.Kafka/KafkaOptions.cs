using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Configuration;
using Narad.Kafka.Configuration;

namespace Narad.Kafka;

/// <summary>
/// The settings of a service. Set from code, from an <c>IConfiguration</c> section (<c>Kafka</c>) and from <c>KAFKA_*</c> variables; code beats
/// configuration beats environment. Validated at start (unknown keys of the section are faults too), every fault in one
/// <see cref="KafkaConfigurationException"/>. Read once.
/// </summary>
/// <example>
/// <code>
/// var options = new KafkaOptions
/// {
///     ClientId = "billing",
///     Brokers = "kafka-1:9093,kafka-2:9093",
///     ConsumerGroupId = "billing",
///     Ssl = { Enabled = true },
///     Sasl = { Mechanism = "scram-sha-512", Username = "billing", Password = "from a secret store" },
/// };
/// await using var kafka = new KafkaService(options);
/// </code>
/// </example>
public sealed class KafkaOptions : IBindingTarget
{
    private KafkaProvider _provider;
    private string? _brokers;
    private int? _maxMessageBytes;

    // What the brokers' names say, with the names that it was found out from: asked for each message. Written whole, by whoever asks first.
    private HostNames? _hosts;

    /// <summary>
    /// The client's name in broker logs and quotas, and an envelope's source. <c>client.id</c>, <c>KAFKA_CLIENT_ID</c>. Default <c>narad</c>.
    /// </summary>
    public string ClientId { get; set; } = "narad";

    /// <summary>
    /// Who runs the cluster. Setting it sets what that provider asks for (TLS, <see cref="SaslOptions.Mechanism"/>, and no login where there is none); what is
    /// set later changes that, and a contradiction is a fault at start. Default <see cref="KafkaProvider.Custom"/>, which sets nothing; brokers that a
    /// provider's own host names give away are treated as that provider's all the same.
    /// </summary>
    public KafkaProvider Provider
    {
        get => _provider;
        set
        {
            _provider = value;
            ProviderProfile.Apply(this, value);
        }
    }

    /// <summary>
    /// Where the cluster is: <c>host:port</c>, separated by commas. <c>bootstrap.servers</c>, <c>KAFKA_BROKERS</c>. Default: where an Event Hubs connection
    /// string in <see cref="SaslOptions.Password"/> says, else <c>localhost:9092</c>.
    /// </summary>
    [JsonConverter(typeof(ShownBrokers))]
    public string Brokers
    {
        get => _brokers ?? ProviderProfile.BrokersOf(Sasl) ?? ProviderProfile.DefaultBrokers;
        set => _brokers = value;
    }

    /// <summary>Where messages go. <c>KAFKA_MODE</c>. Default <see cref="KafkaMode.Auto"/>.</summary>
    public KafkaMode Mode { get; set; }

    /// <summary>The group where code names none. <c>group.id</c>, <c>KAFKA_CONSUMER_GROUP_ID</c>. Default none.</summary>
    public string? ConsumerGroupId { get; set; }

    /// <summary>
    /// The environment's name; decides what <see cref="KafkaMode.Auto"/> may do and what is refused in Production. Default: the host's, else
    /// <c>DOTNET_ENVIRONMENT</c>, else <c>ASPNETCORE_ENVIRONMENT</c>, else <c>Production</c>.
    /// </summary>
    public string? Environment { get; set; }

    /// <summary>TLS.</summary>
    public SslOptions Ssl { get; set; } = new();

    /// <summary>User and mechanism.</summary>
    public SaslOptions Sasl { get; set; } = new();

    /// <summary>How long connecting may take before it fails (or <see cref="KafkaMode.Auto"/> falls back). 100 ms to 10 min; default 10 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>In Kafka mode: whether the host starts although no broker answers, and connects when one does. Default false.</summary>
    public bool StartWithoutBroker { get; set; }

    /// <summary>
    /// How long a send may take before it fails, waiting and retries included. <c>message.timeout.ms</c>. 1 s to 1 h; default 120 s. Found out once in a while:
    /// the failure comes up to two seconds later. A message whose batch the broker refused, so that it is sent again, gets its time anew. Choose it well above
    /// the time that a broker may hang: a message that times out while a broker has it may be written all the same, and the client may then write others twice.
    /// </summary>
    public TimeSpan SendTimeout { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>How long a message waits for others to share a request with. <c>linger.ms</c>. 0 to 900 s; default 5 ms.</summary>
    public TimeSpan Linger { get; set; } = TimeSpan.FromMilliseconds(5);

    /// <summary><c>compression.type</c>. Default none.</summary>
    public KafkaCompression Compression { get; set; }

    /// <summary>
    /// The largest message that is sent, bytes, with key and headers. <c>message.max.bytes</c>. 1,000 to 1,000,000,000; default 1,000,000, on Event Hubs
    /// 999,999, which is the most there.
    /// </summary>
    public int MaxMessageBytes
    {
        get => _maxMessageBytes ?? (IsEventHubs ? ProviderProfile.EventHubsMessageBytes : ProviderProfile.DefaultMessageBytes);
        set => _maxMessageBytes = value;
    }

    /// <summary>
    /// How long disconnecting may take. 0 to 1 h; default 30 s. In a host, disconnecting ends at the shorter of this and what is left of
    /// <c>HostOptions.ShutdownTimeout</c>, of which a fifth (at most 2 s) is kept for closing clients.
    /// </summary>
    public TimeSpan ShutdownTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a revoked partition waits for its running handlers. Default: the smaller of <see cref="ShutdownTimeout"/> and half of
    /// <see cref="MaxPollInterval"/>; never more than either of these.
    /// </summary>
    public TimeSpan? RevokeTimeout { get; set; }

    /// <summary>How often finished offsets are committed. <c>auto.commit.interval.ms</c>. 10 ms to 1 h; default 1 s.</summary>
    public TimeSpan CommitInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How often <see cref="IKafkaService.IsConnected"/> is found out. 100 ms to 3 s; default 3 s.</summary>
    public TimeSpan ProbeInterval { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long a group, topic or partition that has something to consume may make no progress before the health check is degraded. 100 ms to 24 h; default 20
    /// s. While a handler of the partition runs, the time begins after <see cref="MaxPollInterval"/>.
    /// </summary>
    public TimeSpan DegradedAfter { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How long it may make no progress before the health check is unhealthy. 100 ms to 24 h, at least <see cref="DegradedAfter"/>; default 60 s.
    /// </summary>
    public TimeSpan UnhealthyAfter { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary><c>session.timeout.ms</c>, classic protocol only. 1 s to 30 min; default 45 s.</summary>
    public TimeSpan SessionTimeout { get; set; } = TimeSpan.FromSeconds(45);

    /// <summary>
    /// <c>max.poll.interval.ms</c>: how long the group waits for a member that hangs. 1 s to 24 h, at least <see cref="SessionTimeout"/>; default 5 min.
    /// </summary>
    public TimeSpan MaxPollInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How many handlers of one subscription may run at once. 1 to 10,000; default 32.</summary>
    public int Parallelism { get; set; } = 32;

    /// <summary>How many messages one group may hold: waiting, running, waiting for a retry. 10 to 10,000,000; default 10,000.</summary>
    public int MaxBufferedMessages { get; set; } = 10_000;

    /// <summary>
    /// How many bytes of messages one group may hold, the client's prefetched messages included. 1 MiB to 64 GiB; default 64 MiB. With a full buffer the
    /// process needs 3.4 to 4 times as
    /// much memory: give a container 4 × <see cref="MaxBufferedBytes"/> for each group, and what the application itself needs.
    /// </summary>
    public long MaxBufferedBytes { get; set; } = 64L * 1024 * 1024;

    /// <summary>
    /// How far, in messages of one partition, a stuck key lets the others run ahead. What is ahead is committed with the offset, as far
    /// as it fits into 4,096 bytes. At the limit the partition pauses. 1 to 10,000,000; default 100,000.
    /// </summary>
    public int MaxUncommittedMessages { get; set; } = 100_000;

    /// <summary>The most messages of one batch. 1 to 100,000; default 500.</summary>
    public int MaxBatchSize { get; set; } = 500;

    /// <summary>The longest that a batch waits to fill. 0 to 1 min; default 200 ms.</summary>
    public TimeSpan MaxBatchWait { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Where a group without a committed offset starts. Default <see cref="StartPosition.Earliest"/>.</summary>
    public StartPosition StartPosition { get; set; }

    /// <summary>What to do when the committed offset is not there any more. Default <see cref="OutOfRangePolicy.Stop"/>.</summary>
    public OutOfRangePolicy OnOutOfRange { get; set; }

    /// <summary>What to do with a failure that no policy covers. Default <see cref="UnhandledPolicy.StopPartition"/>.</summary>
    public UnhandledPolicy OnUnhandled { get; set; }

    /// <summary>
    /// <c>partition.assignment.strategy</c>. Default <see cref="KafkaAssignor.CooperativeSticky"/>; a group with <see cref="RetryOptions.PreserveKeyOrder"/>
    /// has <see cref="KafkaAssignor.Range"/>, whatever this says.
    /// </summary>
    public KafkaAssignor Assignor { get; set; }

    /// <summary><c>group.protocol</c>: <c>consumer</c> is KIP-848 and needs Kafka 4. Default <see cref="KafkaGroupProtocol.Classic"/>.</summary>
    public KafkaGroupProtocol GroupProtocol { get; set; }

    /// <summary>
    /// <c>group.instance.id</c>: a static identity, one per process: at most 249 letters, digits, dots, underscores and hyphens. Default none.
    /// </summary>
    public string? GroupInstanceId { get; set; }

    /// <summary>Whether missing topics are created. Default <see cref="TopicCreation.None"/>; on the embedded broker always.</summary>
    public TopicCreation TopicCreation { get; set; }

    /// <summary>How many partitions a created topic gets. 1 to 10,000; default 6.</summary>
    public int TopicPartitions { get; set; } = 6;

    /// <summary>How many replicas a created topic gets; 1 or more, or −1 for the broker's default. Default −1.</summary>
    public short TopicReplicationFactor { get; set; } = -1;

    /// <summary>
    /// The topics that the application needs, as they should be. Connecting creates those that are missing, before any subscription starts, and compares the
    /// others (<see cref="OnTopicMismatch"/>), whatever <see cref="TopicCreation"/> says. Names may be logical (<see cref="TopicNames"/>). Two entries of one
    /// topic complete each other; where they contradict each other, the start fails. <c>Kafka:Topics:{name}</c> adds to it; in a host,
    /// <see cref="NaradKafkaBuilder.AddTopic(TopicSpec)"/> does too.
    /// </summary>
    [JsonIgnore]
    public IList<TopicSpec> Topics { get; } = [];

    /// <summary>What to do when one of <see cref="Topics"/> exists and is not as declared. Default <see cref="TopicMismatchPolicy.Warn"/>.</summary>
    public TopicMismatchPolicy OnTopicMismatch { get; set; }

    /// <summary>Real topic names by logical name, as <c>KAFKA_TOPIC_X_Y</c> sets for <c>x-y</c>. Default none: a name stands for itself.</summary>
    public IDictionary<string, string> TopicNames { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Where messages go that are sent by their type, and where subscriptions to a type read. Default none. Code only.</summary>
    [JsonIgnore]
    public MessageRoutes Routes { get; } = new();

    /// <summary>Raw librdkafka properties for every client; one that contradicts a promise is refused with the reason.</summary>
    [JsonIgnore]
    public IDictionary<string, string> ClientProperties { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>
    /// How messages become JSON. Default: camelCase (<see cref="JsonSerializerDefaults.Web"/>); give a source-generated context as its resolver for AOT.
    /// </summary>
    [JsonIgnore]
    public JsonSerializerOptions? Json { get; set; }

    /// <summary>The serializer of everything but bytes and text. Default: JSON. Code only.</summary>
    [JsonIgnore]
    public IMessageSerializer? Serializer { get; set; }

    /// <summary>The deserializer of everything but bytes and text. Default: JSON. Code only.</summary>
    [JsonIgnore]
    public IMessageDeserializer? Deserializer { get; set; }

    /// <summary>
    /// The broker of <see cref="KafkaMode.Embedded"/>, to be shared by several services or driven by a test; it is not disposed with the service.
    /// Default: one of the service's own. Code only.
    /// </summary>
    [JsonIgnore]
    public EmbeddedBroker? EmbeddedBroker { get; set; }

    /// <summary>Middleware around every send, in order. Code only.</summary>
    [JsonIgnore]
    public IList<ISendMiddleware> SendMiddleware { get; } = [];

    /// <summary>Middleware around every handler, in order, outside a subscription's own. Code only.</summary>
    [JsonIgnore]
    public IList<IConsumeMiddleware> ConsumeMiddleware { get; } = [];

    /// <summary>Told of every message that goes to a retry or dead-letter topic. Code only.</summary>
    [JsonIgnore]
    public IList<IFailureObserver> FailureObservers { get; } = [];

    /// <summary>
    /// Whether retry records and dead letters carry an exception's message and stack trace, beside its type. Exception texts may hold data or secrets of the
    /// application's, and whoever may read those topics reads them: false keeps them out. Default true.
    /// </summary>
    public bool ExceptionTextInHeaders { get; set; } = true;

    // Noted while the environment and the configuration were read; reported with everything else when the options are validated.
    internal List<string> BindingErrors { get; } = [];

    List<string> IBindingTarget.BindingErrors => BindingErrors;

    internal List<string> BindingWarnings { get; } = [];

    /// <summary>The sections of <c>Kafka:Subscriptions</c> by their names.</summary>
    internal Dictionary<string, IConfigurationSection> Subscriptions { get; } = new(StringComparer.Ordinal);

    internal SettingSources Sources { get; } = new();

    /// <summary>Whether anybody said where the cluster is.</summary>
    internal bool NamesBrokers => _brokers is not null;

    /// <summary>Whether the cluster is Event Hubs: named, or known by its host.</summary>
    internal bool IsEventHubs
    {
        get
        {
            if (_provider is not KafkaProvider.Custom)
            {
                return _provider is KafkaProvider.EventHubs;
            }

            var brokers = Brokers;
            var hosts = _hosts;
            if (hosts is null || !string.Equals(hosts.Brokers, brokers, StringComparison.Ordinal))
            {
                _hosts = hosts = new HostNames(
                    brokers, BrokerList.Split(brokers).Any(broker => BrokerList.Error(broker) is null && ProviderRules.IsEventHubs(broker)));
            }

            return hosts.EventHubs;
        }
    }

    /// <summary>
    /// New options from the <c>KAFKA_*</c> variables of this process. Never throws: a variable that cannot be read is reported with all other
    /// faults when the service starts.
    /// </summary>
    public static KafkaOptions FromEnvironment()
    {
        var options = new KafkaOptions();
        KafkaEnvironment.Apply(options, KafkaEnvironment.Variables());
        return options;
    }

    /// <summary>Where messages go and as whom, without any secret.</summary>
    public override string ToString() => $"{ClientId} on {BrokerList.Describe(Brokers)} ({Mode})";

    /// <summary>Whether missing topics are created, in the mode that was decided on.</summary>
    internal bool CreatesTopics(KafkaMode mode) => mode is KafkaMode.Embedded || (mode is KafkaMode.Kafka && TopicCreation is TopicCreation.IfMissing);

    private sealed record HostNames(string Brokers, bool EventHubs);
}
