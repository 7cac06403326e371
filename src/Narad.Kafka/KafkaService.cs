using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Producing;
using Narad.Kafka.Security;
using Narad.Kafka.Serialization;
using Narad.Kafka.Topics;
using Narad.Kafka.Transactions;
using Narad.Kafka.Transports;

namespace Narad.Kafka;

/// <summary>
/// The service, usable with and without a container: its members, and the order in which what it consists of starts and ends.
/// </summary>
/// <example>
/// <code>
/// await using var kafka = KafkaService.FromEnvironment();
/// await kafka.Init().ConnectProducerAsync();
/// await kafka.SendAsync("user-events", new UserEvent("123", "login"), key: "123");
/// </code>
/// </example>
public sealed partial class KafkaService : IKafkaService
{
    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly IServiceProvider? _services;
    private readonly ServiceConnections _connections;
    private readonly ServiceGroups _groups;
    private readonly ServiceSubscriptions _subscriptions;
    private readonly KafkaMeter _meter;
    private readonly RealNames _realNames;
    private readonly TopicPreparation _topics;
    private readonly ServiceSender _sender;
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _hostStop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly Lock _taking = new();
    private bool _hasTaken;   // under _taking

    // Under _lock.
    private Task<DisconnectReport>? _disconnecting;
    private bool _initialized;

    private volatile bool _mayBeSentWith;

    /// <summary>Creates the service; connects nothing and checks nothing yet: <see cref="Init"/> does, and connecting calls it.</summary>
    /// <param name="options">The settings; not to be changed afterwards.</param>
    /// <param name="loggers">Where to log; default: nowhere, but for <c>[DEV]</c> lines, which go to standard output.</param>
    /// <param name="time">The clock; default: the system's.</param>
    public KafkaService(KafkaOptions options, ILoggerFactory? loggers = null, TimeProvider? time = null)
        : this(options, loggers, time, services: null)
    {
    }

    internal KafkaService(KafkaOptions options, ILoggerFactory? loggers, TimeProvider? time, IServiceProvider? services)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _services = services;
        _diagnostics = new KafkaDiagnostics(loggers, time);
        _logger = _diagnostics.Logger<KafkaService>();
        _connections = new ServiceConnections(options, _diagnostics, _logger);
        _meter = new KafkaMeter(this, options.ClientId);
        _realNames = new RealNames(options);
        Topics = new ServiceTopics(ConnectedAsync, _realNames);
        _topics = new TopicPreparation(
            options, () => _connections.Transport!.Topics, () => _connections.IsConnected, _diagnostics.Time, _logger, _connections.Ending);
        _groups = new ServiceGroups(options, _diagnostics, _topics, OnFailure);
        _sender = new ServiceSender(this);
        _subscriptions = new ServiceSubscriptions(
            options, services, _connections, _groups, _topics, Topics, _realNames, _sender, _diagnostics, _logger);
        DeadLetters = new KafkaDeadLetters(options, _diagnostics, ConnectedAsync, _realNames.Of, _connections.ConnectProducerAsync,
            new KnownFailureTopics(() => _subscriptions.All.OfType<Subscription>()));
        DeadLetterCounts = new DeadLetterCounts(
            () => _subscriptions.DeadLetterTopics, (topic, cancellation) =>
                DeadLetters.CountAsync(topic, cancellationToken: cancellation), _diagnostics.Time, _logger, _connections.Ending);
        _ = _completion.Task.ContinueWith(static faulted =>
            _ = faulted.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    /// <inheritdoc/>
    public KafkaMode Mode => _connections.Transport?.Mode ?? _options.Mode;

    /// <inheritdoc/>
    public bool IsConnected => _connections.IsConnected;

    /// <inheritdoc/>
    public Task Completion => _completion.Task;

    /// <inheritdoc/>
    public IKafkaTopics Topics { get; }

    /// <inheritdoc/>
    public IDeadLetters DeadLetters { get; }

    /// <inheritdoc/>
    public IReadOnlyList<ISubscription> Subscriptions => _subscriptions.All;

    /// <summary>Completes when a failure applied <see cref="UnhandledPolicy.StopHost"/>.</summary>
    internal Task HostStop => _hostStop.Task;

    internal KafkaOptions Options => _options;

    /// <summary>The names under which subscriptions look for their section <c>Kafka:Subscriptions:{name}</c>. Thread-safe.</summary>
    internal ICollection<string> SubscribedNames => _subscriptions.Names;

    /// <summary>The brokers in use, for people: the embedded broker's own address; those of the settings before connecting and in Console mode.</summary>
    internal string ShownBrokers =>
        BrokerList.Public(_connections.Transport is { Mode: not KafkaMode.Console } connected ? connected.BootstrapServers : _options.Brokers);

    internal KafkaDiagnostics Diagnostics => _diagnostics;

    internal KafkaMeter Meter => _meter;

    internal MessageProducer? Producer => _connections.Producer;

    internal DeadLetterCounts DeadLetterCounts { get; }

    /// <summary>Those of the application, those that read their retry topics, and the readers of broadcast subscriptions.</summary>
    internal IReadOnlyCollection<ConsumerGroup> Groups => _groups.All;

    /// <summary>The circuit breakers of its subscriptions; a subscription shares one with its retry topics.</summary>
    internal IEnumerable<CircuitBreaker> Circuits => _subscriptions.Circuits;

    /// <summary>For how long the waiting retry that is due first has been due.</summary>
    internal TimeSpan LongestOverdue
    {
        get
        {
            var now = _diagnostics.Time.GetUtcNow().ToUnixTimeMilliseconds();
            var next = Groups.Select(group => group.Loop?.NextRetryDue ?? long.MaxValue).DefaultIfEmpty(long.MaxValue).Min();
            return TimeSpan.FromMilliseconds(Math.Max(0, next == long.MaxValue ? 0 : now - next));
        }
    }

    internal TokenRefresher? Tokens => _connections.Transport?.Tokens;

    internal ConnectionFault? ConnectionFault => _connections.Transport?.ConnectionFault;

    /// <summary>A service from the <c>KAFKA_*</c> variables.</summary>
    /// <param name="configure">Changes what the environment says: code beats environment.</param>
    /// <param name="loggers">Where to log; default: nowhere.</param>
    /// <example>
    /// <code>
    /// // KAFKA_BROKERS=kafka-1:9092 KAFKA_CLIENT_ID=billing dotnet run
    /// await using var kafka = KafkaService.FromEnvironment(options =&gt; options.ShutdownTimeout = TimeSpan.FromSeconds(20));
    /// </code>
    /// </example>
    public static KafkaService FromEnvironment(Action<KafkaOptions>? configure = null, ILoggerFactory? loggers = null)
    {
        var options = KafkaOptions.FromEnvironment();
        configure?.Invoke(options);
        return new KafkaService(options, loggers);
    }

    /// <inheritdoc/>
    public IKafkaService Init()
    {
        TakeFromContainer();
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disconnecting is not null, this);
            if (_initialized)
            {
                return this;
            }

            var report = KafkaOptionsValidator.Check(_options);
            report.ThrowIfInvalid();
            foreach (var warning in report.Warnings)
            {
                ServiceLog.ConfigurationWarning(_logger, warning);
            }

            _initialized = true;
            return this;
        }
    }

    // Middleware and observers of the container, once: not when the service is created, because they may take it.
    private void TakeFromContainer()
    {
        if (_services is null)
        {
            return;
        }

        lock (_taking)
        {
            if (_hasTaken)
            {
                return;
            }

            _hasTaken = true;   // before their constructors run, which may call back
            try
            {
                var observers = _services.GetServices<IFailureObserver>().ToArray();
                var sending = _services.GetServices<ISendMiddleware>().ToArray();
                var consuming = _services.GetServices<IConsumeMiddleware>().ToArray();
                Array.ForEach(observers, _options.FailureObservers.Add);
                Array.ForEach(sending, _options.SendMiddleware.Add);
                Array.ForEach(consuming, _options.ConsumeMiddleware.Add);
            }
            catch
            {
                _hasTaken = false;
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public async Task ConnectProducerAsync(CancellationToken cancellationToken = default)
    {
        Init();
        await _connections.ConnectProducerAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        await _topics.ForConnectingAsync(cancellationToken).ConfigureAwait(false);
        _mayBeSentWith = true;
    }

    /// <inheritdoc/>
    public async Task ConnectConsumerAsync(string? group = null, CancellationToken cancellationToken = default)
    {
        if (group is not null)
        {
            GroupName.Validate(group, nameof(group));
        }

        Init();
        var name = group ?? _options.ConsumerGroupId;
        if (name is null)
        {
            throw new KafkaConfigurationException(
                ["no consumer group was named: pass one to ConnectConsumerAsync, or set Kafka:ConsumerGroupId (KAFKA_CONSUMER_GROUP_ID)."]);
        }

        var transport = await _connections.ConnectTransportAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        await _topics.ForConnectingAsync(cancellationToken).ConfigureAwait(false);
        if (_groups.TryConnect(name, transport))
        {
            ServiceLog.ConsumerConnected(_logger, name, transport.Mode, ServiceConnections.Address(transport));
        }
    }

    /// <inheritdoc/>
    public ValueTask<SendResult> SendAsync<T>(
        string topic, T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (message is null)
        {
            throw new ArgumentNullException(
                nameof(message), "A null message cannot be sent. To delete a key from a compacted topic call SendTombstoneAsync(topic, key).");
        }

        return Sending().SendAsync(_realNames.Of(topic), message, key, options, cancellationToken);
    }

    /// <inheritdoc/>
    [OverloadResolutionPriority(2)]
    public ValueTask<SendResult> SendAsync(
        string topic, string message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        SendAsync<string>(topic, message, key, options, cancellationToken);

    /// <inheritdoc/>
    [OverloadResolutionPriority(2)]
    public ValueTask<SendResult> SendAsync(
        string topic, byte[] message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        SendAsync<byte[]>(topic, message, key, options, cancellationToken);

    /// <inheritdoc/>
    [OverloadResolutionPriority(1)]
    public ValueTask<SendResult> SendAsync<T>(
        string topic, IEnumerable<T> message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (message is null or System.Collections.IDictionary or JsonNode || RawSerialization.IsBytes(message)
            || (typeof(T).IsGenericType && typeof(T).GetGenericTypeDefinition() == typeof(KeyValuePair<,>)))
        {
            return SendAsync<object>(topic, message!, key, options, cancellationToken);
        }

        throw new ArgumentException(
            $"SendAsync sends one message, and this is a collection of {typeof(T).Name}. To send each as a message call SendManyAsync; to send the collection "
                + $"as one message name its type: SendAsync<{typeof(T).Name}[]>(topic, …).",
            nameof(message));
    }

    /// <inheritdoc/>
    public ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (key.IsNone)
        {
            throw new ArgumentException("A tombstone needs a key: without one it deletes nothing.", nameof(key));
        }

        return Sending().SendTombstoneAsync(_realNames.Of(topic), key, options, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SendResult>> SendManyAsync<T>(
        string topic, IEnumerable<T> messages, Func<T, MessageKey>? key = null, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return Sending().SendManyAsync(_realNames.Of(topic), messages, key, options, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ISubscription> SubscribeAsync<T>(string topic, Func<T, MessageContext, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return SubscribeAsync(topic, group, configure, isBatch: false, HandlerName.Of(handler), (settings, metrics) =>
            new SinglePipeline<T>(handler, settings, metrics, _diagnostics), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ISubscription> SubscribeBatchAsync<T>(string topic, Func<MessageBatch<T>, CancellationToken, Task> handler, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return SubscribeAsync(topic, group, configure, isBatch: true, HandlerName.Of(handler), (settings, metrics) =>
            new BatchPipeline<T>(handler, settings, metrics, _diagnostics), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ISubscription> SubscribeByTypeAsync(string topic, Action<MessageTypeMap> types, string? group = null,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(types);
        var map = new MessageTypeMap();
        types(map);
        return SubscribeAsync(topic, group, map.Configured(configure, isHosted: false), isBatch: false, MessageTypeMap.HandlerName, (settings, metrics) =>
            map.Pipeline(settings, metrics, _diagnostics, host: null), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<DisconnectReport> DisconnectAsync(CancellationToken cancellationToken = default) =>
        DisconnectAsync(_options.ShutdownTimeout, cancellationToken);

    // The first caller's limit counts.
    internal Task<DisconnectReport> DisconnectAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _connections.Close();
            _groups.Close();
            _disconnecting ??= Task.Run(() => DisconnectCoreAsync(limit), CancellationToken.None).Observe();
            return _disconnecting.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Disconnects, where that has not been done.</summary>
    public async ValueTask DisposeAsync() => await DisconnectAsync().ConfigureAwait(false);

    internal Task<ISubscription> SubscribeAsync(
        string topic,
        string? group,
        Action<SubscriptionOptions>? configure,
        bool isBatch,
        string handler,
        Func<SubscriptionSettings, ConsumingMetrics, HandlerPipeline> pipeline,
        CancellationToken cancellationToken) =>
        _subscriptions.SubscribeAsync(topic, group, configure, isBatch, handler, pipeline, cancellationToken);

    internal Task<ITransport> ConnectTransportAsync() => _connections.ConnectTransportAsync();

    internal Task<string> ClusterIdAsync(CancellationToken cancellationToken) => _connections.ClusterIdAsync(cancellationToken);

    private async Task<DisconnectReport> DisconnectCoreAsync(TimeSpan limit)
    {
        var started = _diagnostics.Time.GetTimestamp();
        TimeSpan Left() => TimeSpan.FromTicks(Math.Max(0, (limit - _diagnostics.Time.GetElapsedTime(started)).Ticks));

        await _connections.EndConnectingAsync().ConfigureAwait(false);
        await _topics.Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var abandoned = new List<string>();
        foreach (var stopped in await Task.WhenAll(Groups.Select(group => group.StopAsync(Left()))).ConfigureAwait(false))
        {
            abandoned.AddRange(stopped);
        }

        var counts = await _connections.StopAsync(Left()).ConfigureAwait(false);
        abandoned.AddRange(counts.Abandoned);
        _meter.Dispose();
        _completion.TrySetResult();
        return new DisconnectReport(counts.Delivered, counts.Failed, counts.Unknown, abandoned) { Late = counts.Late };
    }

    private void OnFailure(Exception error, bool stopHost)
    {
        if (stopHost)
        {
            _hostStop.TrySetResult();
        }

        ServiceLog.Faulted(_logger, error);
        _completion.TrySetException(error);
    }

    private MessageProducer Sending()
    {
        // While the service disconnects, running handlers may still send; the producer refuses by itself once it is stopped.
        if (_mayBeSentWith && _connections is { HasEnded: false, Producer: { } producer })
        {
            return producer;
        }

        _connections.ThrowIfClosed();
        throw new KafkaNotConnectedException("Kafka is not connected for sending: call ConnectProducerAsync first (a hosted service does so at start).");
    }

    /// <summary>Sends a message of the outbox as it is.</summary>
    internal ValueTask<SendResult> SendStoredAsync(OutboxMessage message) => Sending().ForwardAsync(
        message.Topic, message.Key, message.Value, message.Headers, message.Partition, CancellationToken.None, message.Timestamp);

    // What is asked of the cluster connects to it, where that has not been done.
    private Task<ITransport> ConnectedAsync(CancellationToken cancellationToken)
    {
        _connections.ThrowIfClosed();
        Init();
        return _connections.ConnectTransportAsync().WaitAsync(cancellationToken);
    }

    /// <summary>What handlers outside of transactions send through.</summary>
    private sealed class ServiceSender(KafkaService service) : IMessageSender
    {
        public IMessageRoutes Routes => service._options.Routes;

        public ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key, SendOptions? options, CancellationToken cancellationToken) =>
            service.Sending().SendAsync(service._realNames.Of(topic), message, key, options, cancellationToken);

        public ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options, CancellationToken cancellationToken) =>
            service.SendTombstoneAsync(topic, key, options, cancellationToken);
    }
}
