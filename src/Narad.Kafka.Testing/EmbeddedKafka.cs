namespace Narad.Kafka.Testing;

/// <summary>
/// An embedded broker as a test fixture: one for a test class (xunit's <c>IClassFixture</c>), a collection or a test. Its faults are those of
/// <see cref="Broker"/>, and <see cref="ClearFaults"/> ends them. Tests that share one keep apart by topic and group: see <see cref="NewName"/>. Thread-safe.
/// </summary>
/// <example>
/// <code>
/// public sealed class CheckoutTests(EmbeddedKafka embedded) : IClassFixture&lt;EmbeddedKafka&gt;
/// {
///     [Fact]
///     public async Task A_placed_order_is_sent()
///     {
///         await using var kafka = new KafkaService(embedded.CreateOptions());
///         await kafka.ConnectProducerAsync();
///
///         var sent = await kafka.SendAsync("orders", new OrderPlaced("o-1"), key: "o-1");
///
///         Assert.Equal(0, sent.Offset);
///     }
/// }
/// </code>
/// </example>
public sealed class EmbeddedKafka : IAsyncDisposable, IDisposable
{
    private long _names;

    /// <summary>Starts one broker.</summary>
    public EmbeddedKafka()
        : this(brokers: 1)
    {
    }

    private EmbeddedKafka(int brokers) => Broker = EmbeddedBroker.Start(brokers);

    /// <summary>The broker, with its topics and faults.</summary>
    public EmbeddedBroker Broker { get; }

    /// <summary>What bare clients connect to.</summary>
    public string BootstrapServers => Broker.BootstrapServers;

    /// <summary>Starts several brokers.</summary>
    public static EmbeddedKafka Start(int brokers) => new(brokers);

    /// <summary>
    /// Settings of a service on this broker, quick where the defaults wait for the sake of real clusters: no linger, commits every 50 ms,
    /// probes every 250 ms, 10 s at most for sending and for shutting down.
    /// </summary>
    /// <param name="configure">Changes them.</param>
    public KafkaOptions CreateOptions(Action<KafkaOptions>? configure = null)
    {
        var options = new KafkaOptions();
        Apply(options);
        configure?.Invoke(options);
        return options;
    }

    /// <summary>Sets what <see cref="CreateOptions"/> sets: for <c>AddNaradKafka(options =&gt; kafka.Apply(options))</c>.</summary>
    public void Apply(KafkaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Mode = KafkaMode.Embedded;
        options.EmbeddedBroker = Broker;
        options.Linger = TimeSpan.Zero;
        options.CommitInterval = TimeSpan.FromMilliseconds(50);
        options.ProbeInterval = TimeSpan.FromMilliseconds(250);
        options.SendTimeout = TimeSpan.FromSeconds(10);
        options.ShutdownTimeout = TimeSpan.FromSeconds(10);
    }

    /// <summary>A name for a topic or a group that no other test of this fixture has.</summary>
    /// <param name="prefix">What it begins with, to be found in logs.</param>
    public string NewName(string prefix = "test") =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{prefix}-{Interlocked.Increment(ref _names)}");

    /// <summary>Creates a topic with a name of its own.</summary>
    /// <returns>Its name.</returns>
    public string CreateTopic(int partitions = 6, string prefix = "topic")
    {
        var name = NewName(prefix);
        Broker.CreateTopic(name, partitions);
        return name;
    }

    /// <summary>Fault: every broker closes its connections and refuses new ones.</summary>
    public void StopBrokers() => ForEach(Broker.StopBroker);

    /// <summary>Ends <see cref="StopBrokers"/>.</summary>
    public void StartBrokers() => ForEach(Broker.StartBroker);

    /// <summary>Fault: every answer takes this long; <see cref="TimeSpan.Zero"/> ends it. A minute is a broker that hangs.</summary>
    public void SetLatency(TimeSpan latency) => Broker.SetLatency(latency);

    /// <summary>Ends every fault.</summary>
    public void ClearFaults()
    {
        foreach (var kind in Enum.GetValues<KafkaRequest>())
        {
            Broker.ClearFailures(kind);
        }

        Broker.SetLatency(TimeSpan.Zero);
        StartBrokers();
    }

    /// <summary>Stops the broker, whoever is still connected; idempotent.</summary>
    public void Dispose() => Broker.Dispose();

    /// <summary>See <see cref="Dispose"/>.</summary>
    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private void ForEach(Action<int> fault)
    {
        for (var broker = 1; broker <= Broker.Brokers; broker++)
        {
            fault(broker);
        }
    }
}
