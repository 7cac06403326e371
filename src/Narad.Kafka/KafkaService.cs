using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Inbox;
using Narad.Kafka.Producing;
using Narad.Kafka.Security;
using Narad.Kafka.Serialization;
using Narad.Kafka.Topics;
using Narad.Kafka.Transactions;
using Narad.Kafka.Transports;

namespace Narad.Kafka;

/// <summary>
/// The service, usable with and without a container. It decides the mode, owns the transport, the sending side and the groups, and closes them in
/// order; how messages are sent and handled is not its concern.
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
    private readonly ConcurrentDictionary<string, byte> _subscribed = new(StringComparer.Ordinal);
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly IServiceProvider? _services;
    private readonly ConnectionMonitor _monitor;
    private readonly KafkaMeter _meter;
    private readonly RealNames _realNames;
    private readonly TopicPreparation _topics;
    private readonly ServiceSender _sender;
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _hostStop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _ending = new();   // cancels what is still connecting when the service is disconnected
    private readonly Lock _lock = new();
    private readonly Lock _taking = new();
    private bool _hasTaken;   // under _taking

    // Under _lock; each task is started once and started again only where it failed.
    private Task<ITransport>? _connectingTransport;
    private Task<MessageProducer>? _connectingProducer;
    private Task<DisconnectReport>? _disconnecting;
    private bool _initialized;

    // Written under _lock, read by anybody.
    private volatile ITransport? _transport;
    private volatile MessageProducer? _producer;
    private volatile bool _mayBeSentWith;
    private volatile bool _ended;
    private volatile string? _clusterId;
    private ImmutableDictionary<string, ConsumerGroup> _groups = ImmutableDictionary.Create<string, ConsumerGroup>(StringComparer.Ordinal);
    // by the group whose retries they read
    private ImmutableDictionary<string, ConsumerGroup> _retryGroups = ImmutableDictionary.Create<string, ConsumerGroup>(StringComparer.Ordinal);
    private ImmutableList<ISubscription> _subscriptions = [];

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
        _monitor = new ConnectionMonitor(options, _diagnostics);
        _meter = new KafkaMeter(this, options.ClientId);
        Topics = new ServiceTopics(this);
        _realNames = new RealNames(options);
        _topics = new TopicPreparation(options, () => _transport!.Topics, () => _monitor.IsConnected, _diagnostics.Time, _logger, _ending.Token);
        _sender = new ServiceSender(this);
        DeadLetters = new KafkaDeadLetters(options, _diagnostics, ConnectedAsync, topic => RealTopic(topic), ConnectFailureProducerAsync,
            new KnownFailureTopics(() => _subscriptions.OfType<Subscription>()));
        DeadLetterCounts = new DeadLetterCounts(
            () => DeadLetterTopics, (topic, cancellation) =>
                DeadLetters.CountAsync(topic, cancellationToken: cancellation), _diagnostics.Time, _logger, _ending.Token);
        _ = _completion.Task.ContinueWith(static faulted =>
            _ = faulted.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    /// <inheritdoc/>
    public KafkaMode Mode => _transport?.Mode ?? _options.Mode;

    /// <inheritdoc/>
    public bool IsConnected => !_ended && _monitor.IsConnected;

    /// <inheritdoc/>
    public Task Completion => _completion.Task;

    /// <inheritdoc/>
    public IKafkaTopics Topics { get; }

    /// <inheritdoc/>
    public IDeadLetters DeadLetters { get; }

    /// <inheritdoc/>
    public IReadOnlyList<ISubscription> Subscriptions => _subscriptions;

    /// <summary>Completes when a failure applied <see cref="UnhandledPolicy.StopHost"/>.</summary>
    internal Task HostStop => _hostStop.Task;

    internal KafkaOptions Options => _options;

    /// <summary>The names under which subscriptions look for their section <c>Kafka:Subscriptions:{name}</c>. Thread-safe.</summary>
    internal ICollection<string> SubscribedNames => _subscribed.Keys;

    /// <summary>The brokers in use, for people: the embedded broker's own address; those of the settings before connecting and in Console mode.</summary>
    internal string ShownBrokers => BrokerList.Public(_transport is { Mode: not KafkaMode.Console } connected ? connected.BootstrapServers : _options.Brokers);

    internal KafkaDiagnostics Diagnostics => _diagnostics;

    internal KafkaMeter Meter => _meter;

    internal MessageProducer? Producer => _producer;

    internal DeadLetterCounts DeadLetterCounts { get; }

    // Of the topics that its subscriptions read, and of those that a pattern found.
    private IReadOnlyCollection<string> DeadLetterTopics =>
        [.. _subscriptions.OfType<Subscription>()
            .Where(subscription => subscription.Settings.FailureTopics is not null && !subscription.Settings.IsPattern)
            .Select(subscription => subscription.Settings.FailureTopics!.DeadLetterNameFor(subscription.Settings.Retries?.Source ?? subscription.Topic))
            .Distinct(StringComparer.Ordinal)];

    /// <summary>Those of the application, and those that read their retry topics.</summary>
    internal IReadOnlyCollection<ConsumerGroup> Groups => [.. _groups.Values, .. _retryGroups.Values, .. _broadcasts];

    /// <summary>The circuit breakers of its subscriptions; a subscription shares one with its retry topics.</summary>
    internal IEnumerable<CircuitBreaker> Circuits =>
        _subscriptions.OfType<Subscription>().Select(subscription => subscription.Settings.Circuit).OfType<CircuitBreaker>().Distinct();

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

    internal TokenRefresher? Tokens => _transport?.Tokens;

    internal ConnectionFault? ConnectionFault => _transport?.ConnectionFault;

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
        await ConnectFailureProducerAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
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

        var transport = await ConnectTransportAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        await _topics.ForConnectingAsync(cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disconnecting is not null, this);
            if (!_groups.ContainsKey(name))
            {
                _groups = _groups.Add(name, new ConsumerGroup(name, transport, _options, _diagnostics, OnFailure) { Prepared = _topics.CompleteAsync });
                ServiceLog.ConsumerConnected(_logger, name, transport.Mode, Address(transport));
            }
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

        return Sending().SendAsync(RealTopic(topic), message, key, options, cancellationToken);
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

        return Sending().SendTombstoneAsync(RealTopic(topic), key, options, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SendResult>> SendManyAsync<T>(
        string topic, IEnumerable<T> messages, Func<T, MessageKey>? key = null, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return Sending().SendManyAsync(RealTopic(topic), messages, key, options, cancellationToken);
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
            _disconnecting ??= Task.Run(() => DisconnectCoreAsync(limit), CancellationToken.None).Observe();
            return _disconnecting.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Disconnects, where that has not been done.</summary>
    public async ValueTask DisposeAsync() => await DisconnectAsync().ConfigureAwait(false);

    internal async Task<ISubscription> SubscribeAsync(
        string topic,
        string? group,
        Action<SubscriptionOptions>? configure,
        bool isBatch,
        string handler,
        Func<SubscriptionSettings, ConsumingMetrics, HandlerPipeline> pipeline,
        CancellationToken cancellationToken)
    {
        var consumers = GroupFor(group);
        var options = SubscriptionSection.Build(_options.Subscriptions, topic, configure, out var overruled);
        _subscribed.TryAdd(options.Name ?? topic, 0);
        var real = RealTopic(topic, patterns: true);
        SubscriptionOptionsValidator.ThrowIfInvalid(
            options, real, _options.Assignor, isBatch,
            [.. ExactlyOnceRules.Check(options, real, _transport!.Mode, _options), .. BroadcastRules.CheckOrdinary(options, real)]);
        foreach (var setting in overruled)
        {
            ServiceLog.SubscriptionSettingOverruled(_logger, setting);
        }

        var failureTopics = options.HasFailureTopics
            ? new FailureTopics(options.Retry.Topic.TopicPolicy, options.Retry.PreserveKeyOrder, options.DeadLetter.TopicName, _transport!, _options,
                ConnectFailureProducerAsync, consumers.Causes, _diagnostics.Time, _logger) : null;
        if (failureTopics?.TopicPolicy is not null && string.Equals(failureTopics.RetryNameFor(real), real, StringComparison.Ordinal))
        {
            throw new KafkaConfigurationException(
                [$"the subscription to '{real}' names that same topic as its retry topic. Name another one, or leave the name out."]);
        }

        var settings = SubscriptionSettings.From(real, consumers.Name, options, _options, _services, failureTopics) with
        {
            Handler = handler, Sender = _sender, Causes = consumers.Causes,
        };
        if (options.CircuitBreaker.Enabled || options.Once.Enabled || options.NeedsStore)
        {
            settings = settings with
            {
                Circuit = new CircuitBreaker(
                    options.CircuitBreaker, settings.Topic, settings.Group, _diagnostics, onlyOutages: !options.CircuitBreaker.Enabled),
            };
        }

        if (options.Once.Enabled)
        {
            settings = settings with { Middleware = [.. settings.Middleware,
                await InboxStart.CreateAsync(options.Once, settings, ClusterIdAsync, Topics, consumers.Metrics, _diagnostics, cancellationToken)
                    .ConfigureAwait(false)] };
        }

        var handling = pipeline(settings, consumers.Metrics);
        if (handling.Starting is { } starting)
        {
            await starting(cancellationToken).ConfigureAwait(false);
        }

        Subscription subscription = null!;
        subscription = new Subscription(consumers, settings, handling, _diagnostics.Time)
        {
            Found = failureTopics is null ? null : source =>
                Task.Run(() => LoggedAsync(subscription, source, () => EnsureFailureTopicsAsync(subscription, source, pipeline))).Forget(),
        };
        if (failureTopics?.TopicPolicy is not null && options.IsOrderOnlyDefault)
        {
            ConsumingLog.OrderEnds(_logger, real, consumers.Name);
        }

        try
        {
            await AddAsync(consumers, subscription, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (failureTopics is not null && !settings.IsPattern && consumers.Subscriptions.Contains(subscription))
        {
            // It continues although nobody waits for it, and so must its retries.
            LoggedAsync(subscription, real, () => AddRetriesAsync(subscription, real, pipeline, _ending.Token)).Forget();
            throw;
        }

        if (failureTopics is not null && !settings.IsPattern && _transport!.Mode is not KafkaMode.Console)
        {
            // One that only redriven messages come through is not waited for: its topic need never be there.
            if (failureTopics.TopicPolicy is null)
            {
                LoggedAsync(subscription, real, () => AddRetriesAsync(subscription, real, pipeline, _ending.Token)).Forget();
            }
            else
            {
                try
                {
                    await AddRetriesAsync(subscription, real, pipeline, cancellationToken).ConfigureAwait(false);
                }
                catch (Exception) when (!cancellationToken.IsCancellationRequested)
                {
                    // Nobody would read what it moves there.
                    await subscription.StopAsync(CancellationToken.None).ConfigureAwait(false);
                    ImmutableInterlocked.Update(ref _subscriptions, static (all, refused) => all.Remove(refused), subscription);
                    throw;
                }
            }
        }

        return subscription;
    }

    private async Task AddAsync(ConsumerGroup consumers, Subscription subscription, CancellationToken cancellationToken)
    {
        ImmutableInterlocked.Update(ref _subscriptions, static (all, added) => all.Add(added), subscription);
        try
        {
            await consumers.AddAsync(subscription, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            // One that the group did not take is none; one whose joining nobody waits for any more continues.
            if (!consumers.Subscriptions.Contains(subscription))
            {
                ImmutableInterlocked.Update(ref _subscriptions, static (all, refused) => all.Remove(refused), subscription);
            }
        }
    }

    // A pattern found a source. Off the poll thread; once a source.
    private async Task EnsureFailureTopicsAsync(
        Subscription subscription, string source, Func<SubscriptionSettings, ConsumingMetrics, HandlerPipeline> pipeline)
    {
        if (subscription.OfRetryTopics.Exists(retries => string.Equals(retries.Settings.Retries!.Source, source, StringComparison.Ordinal)))
        {
            return;
        }

        var found = await _transport!.Topics.GetPartitionCountsAsync([source], _ending.Token).ConfigureAwait(false);
        await subscription.Settings.FailureTopics!.EnsureAsync(source, found.GetValueOrDefault(source, 1), _ending.Token).ConfigureAwait(false);
        await AddRetriesAsync(subscription, source, pipeline, _ending.Token).ConfigureAwait(false);
    }

    // What nobody awaits says itself that it failed.
    private async Task LoggedAsync(Subscription subscription, string source, Func<Task> work)
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (Exception) when (_disconnecting is not null)
        {
            // Nothing is to be seen to any more.
        }
        catch (Exception error)
        {
            ConsumingLog.FailureTopicsNotEnsured(_logger, error, source, subscription.Group);
        }
    }

    // Retry topics are read by a group of their own, and only this group's messages of them. Where retries preserve the
    // order of keys, the main group reads them, so that one member has both partitions of a pair.
    private async Task AddRetriesAsync(
        Subscription subscription, string source, Func<SubscriptionSettings, ConsumingMetrics, HandlerPipeline> pipeline, CancellationToken cancellationToken)
    {
        var main = subscription.Settings;
        var group = main.KeepsKeyOrder ? GroupFor(main.Group) : RetryGroupOf(main.Group);
        var settings = main with
        {
            Topic = main.FailureTopics!.RetryNameFor(source),
            Start = StartPosition.Earliest,
            Causes = group.Causes,
            Retries = new RetrySource(source, main.Group, main.FailureTopics.TopicPolicy?.MaxDelay ?? TimeSpan.Zero,
                main.FailureTopics.TopicPolicy?.LongestByPolicy
                ?? TimeSpan.Zero, main.Retry.Topic.AdoptRecordsWithoutGroup),
        };
        var retries = new Subscription(group, settings, pipeline(settings, group.Metrics), _diagnostics.Time);
        subscription.AddRetries(retries);
        try
        {
            await AddAsync(group, retries, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            if (!group.Subscriptions.Contains(retries))
            {
                subscription.RemoveRetries(retries);
            }
        }
    }

    private ConsumerGroup RetryGroupOf(string group)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disconnecting is not null, this);
            if (!_retryGroups.TryGetValue(group, out var retries))
            {
                retries = new ConsumerGroup(group + FailureTopics.RetrySuffix, _transport!, _options, _diagnostics, OnFailure);
                _retryGroups = _retryGroups.Add(group, retries);
            }

            return retries;
        }
    }

    internal Task<ITransport> ConnectTransportAsync()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disconnecting is not null, this);
            if (_connectingTransport is null or { IsFaulted: true } or { IsCanceled: true })
            {
                _connectingTransport = ConnectTransportCoreAsync().Observe();
            }

            return _connectingTransport;
        }
    }

    private async Task<ITransport> ConnectTransportCoreAsync()
    {
        // not Task.Yield, which comes back to the caller's context; never under the lock of the caller
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var (transport, reached) = await TransportSelection.ConnectAsync(_options, _diagnostics, _ending.Token).ConfigureAwait(false);
            _transport = transport;
            _monitor.Start(transport, reached);
            if (transport.Mode is KafkaMode.Console)
            {
                ServiceLog.ConnectedToConsole(_logger);
            }
            else if (reached)
            {
                ServiceLog.Connected(_logger, transport.Mode, transport.BootstrapServers);
            }

            return transport;
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            throw new KafkaNotConnectedException("Kafka is not connected: the service was disconnected while it was connecting.");
        }
    }

    // The one producer serves the application, once it has asked for it, and retry records and dead letters.
    private Task<MessageProducer> ConnectFailureProducerAsync()
    {
        lock (_lock)
        {
            if (_producer is { } connected)
            {
                return Task.FromResult(connected);   // also while the service disconnects: what runs may still fail
            }

            ObjectDisposedException.ThrowIf(_disconnecting is not null, this);
            if (_connectingProducer is null or { IsFaulted: true } or { IsCanceled: true })
            {
                _connectingProducer = ConnectProducerCoreAsync().Observe();
            }

            return _connectingProducer;
        }
    }

    private async Task<MessageProducer> ConnectProducerCoreAsync()
    {
        var connecting = ConnectTransportAsync();   // under the lock of the caller, so that disconnecting comes before or after both
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var transport = await connecting.ConfigureAwait(false);
        var producer = new MessageProducer(transport, _options, _diagnostics);
        try
        {
            await producer.ConnectAsync(_ending.Token).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            await producer.DisposeAsync().ConfigureAwait(false);
            if (error is OperationCanceledException && _ending.IsCancellationRequested)
            {
                throw new KafkaNotConnectedException("Kafka is not connected: the service was disconnected while it was connecting.");
            }

            throw;
        }

        _producer = producer;
        ServiceLog.ProducerConnected(_logger, transport.Mode, Address(transport));
        return producer;
    }

    private async Task<DisconnectReport> DisconnectCoreAsync(TimeSpan limit)
    {
        var started = _diagnostics.Time.GetTimestamp();
        TimeSpan Left() => TimeSpan.FromTicks(Math.Max(0, (limit - _diagnostics.Time.GetElapsedTime(started)).Ticks));

        // What is still connecting is ended and waited for, so that nothing comes to life behind our back.
        await _ending.CancelAsync().ConfigureAwait(false);
        foreach (var connecting in new Task?[] { _connectingTransport, _connectingProducer, _topics.Running })
        {
            if (connecting is not null)
            {
                await connecting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        var abandoned = new List<string>();
        foreach (var stopped in await Task.WhenAll(Groups.Select(group => group.StopAsync(Left()))).ConfigureAwait(false))
        {
            abandoned.AddRange(stopped);
        }

        var counts = _producer is { } producer ? await producer.StopAsync(Left()).ConfigureAwait(false) : new SendCounts(0, 0, 0, []);
        abandoned.AddRange(counts.Abandoned);
        _ended = true;
        await _monitor.DisposeAsync().ConfigureAwait(false);
        if (_transport is { } transport)
        {
            await transport.DisposeAsync().ConfigureAwait(false);
            if (transport.Mode is KafkaMode.Console)
            {
                ServiceLog.DisconnectedFromConsole(_logger, counts.Delivered, counts.Failed, counts.Unknown);
            }
            else
            {
                ServiceLog.Disconnected(_logger, transport.Mode, counts.Delivered, counts.Late, counts.Failed, counts.Unknown);
            }
        }

        _meter.Dispose();
        _ending.Dispose();
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
        if (_mayBeSentWith && _producer is { } producer && !_ended)
        {
            return producer;
        }

        ThrowIfEnded();
        throw new KafkaNotConnectedException("Kafka is not connected for sending: call ConnectProducerAsync first (a hosted service does so at start).");
    }

    /// <summary>Sends a message of the outbox as it is.</summary>
    internal ValueTask<SendResult> SendStoredAsync(OutboxMessage message) => Sending().ForwardAsync(
        message.Topic, message.Key, message.Value, message.Headers, message.Partition, CancellationToken.None, message.Timestamp);

    private ConsumerGroup GroupFor(string? group)
    {
        ThrowIfEnded();
        var groups = _groups;
        if (group is not null)
        {
            GroupName.Validate(group, nameof(group));
            return groups.TryGetValue(group, out var named)
                ? named
                : throw new KafkaNotConnectedException($"Group '{group}' is not connected: call ConnectConsumerAsync(\"{group}\") first.{Connected(groups)}");
        }

        return groups.Count switch
        {
            1 => groups.Values.First(),
            0 => throw new KafkaNotConnectedException("Kafka is not connected for consuming: call ConnectConsumerAsync(group) first."),
            _ => throw new InvalidOperationException($"Several groups are connected: say which one this subscription is for.{Connected(groups)}"),
        };
    }

    private static string Address(ITransport transport) => transport.Mode is KafkaMode.Console ? "no broker" : transport.BootstrapServers;

    private static string Connected(ImmutableDictionary<string, ConsumerGroup> groups) =>
        groups.Count == 0 ? "" : $" Connected: {string.Join(", ", groups.Keys.Order(StringComparer.Ordinal))}.";

    private void ThrowIfEnded()
    {
        if (_disconnecting is not null)
        {
            throw new KafkaNotConnectedException("Kafka is not connected any more: the service was disconnected. Create a new one.");
        }
    }

    private string RealTopic(string topic, bool patterns = false)
    {
        ArgumentNullException.ThrowIfNull(topic);
        if (patterns && TopicName.IsPattern(topic))
        {
            return topic;
        }

        return _realNames.Of(topic);
    }

    /// <summary>The id of the cluster; asked for once, because it never changes while this service is connected.</summary>
    /// <exception cref="PostponedException">No broker answered. A message came, so one will.</exception>
    internal async Task<string> ClusterIdAsync(CancellationToken cancellationToken)
    {
        try
        {
            return _clusterId ??= (await _transport!.DescribeClusterAsync(_options.ConnectTimeout, cancellationToken).ConfigureAwait(false)).ClusterId;
        }
        catch (Exception error) when (error is Confluent.Kafka.KafkaException or TimeoutException)
        {
            throw new PostponedException(TimeSpan.FromSeconds(1));
        }
    }

    // What is asked of the cluster connects to it, where that has not been done.
    private Task<ITransport> ConnectedAsync(CancellationToken cancellationToken)
    {
        ThrowIfEnded();
        Init();
        return ConnectTransportAsync().WaitAsync(cancellationToken);
    }

    /// <summary>What handlers outside of transactions send through.</summary>
    private sealed class ServiceSender(KafkaService service) : IMessageSender
    {
        public IMessageRoutes Routes => service._options.Routes;

        public ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key, SendOptions? options, CancellationToken cancellationToken) =>
            service.Sending().SendAsync(service.RealTopic(topic), message, key, options, cancellationToken);

        public ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options, CancellationToken cancellationToken) =>
            service.SendTombstoneAsync(topic, key, options, cancellationToken);
    }

    /// <summary>Topics before and after connecting: connects the transport where that has not been done.</summary>
    private sealed class ServiceTopics(KafkaService service) : IKafkaTopics
    {
        public async Task CreateIfNotExistsAsync(IEnumerable<TopicSpec> topics, CancellationToken cancellationToken = default)
        {
            var transport = await service.ConnectedAsync(cancellationToken).ConfigureAwait(false);
            await transport.Topics.CreateIfNotExistsAsync(topics.Select(spec => spec with { Name = service.RealTopic(spec.Name) }), cancellationToken)
                .ConfigureAwait(false);
        }

        public async Task<IReadOnlyDictionary<string, int>> GetPartitionCountsAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default)
        {
            var transport = await service.ConnectedAsync(cancellationToken).ConfigureAwait(false);
            var names = topics.Distinct(StringComparer.Ordinal).ToDictionary(name => name, name => service.RealTopic(name), StringComparer.Ordinal);
            var found = await transport.Topics.GetPartitionCountsAsync(names.Values.Distinct(StringComparer.Ordinal), cancellationToken).ConfigureAwait(false);
            return names.Where(name => found.ContainsKey(name.Value)).ToDictionary(name => name.Key, name => found[name.Value], StringComparer.Ordinal);
        }

        public async Task<TopicDetails?> GetDetailsAsync(string topic, CancellationToken cancellationToken = default)
        {
            var transport = await service.ConnectedAsync(cancellationToken).ConfigureAwait(false);
            return await transport.Topics.GetDetailsAsync(service.RealTopic(topic), cancellationToken).ConfigureAwait(false);
        }

        public async Task SetRetentionAsync(string topic, TimeSpan? retention, CancellationToken cancellationToken = default)
        {
            var transport = await service.ConnectedAsync(cancellationToken).ConfigureAwait(false);
            await transport.Topics.SetRetentionAsync(service.RealTopic(topic), retention, cancellationToken).ConfigureAwait(false);
        }

        public async Task<IReadOnlyList<string>> DeleteAsync(IEnumerable<string> topics, CancellationToken cancellationToken = default)
        {
            var transport = await service.ConnectedAsync(cancellationToken).ConfigureAwait(false);
            var names = topics.Distinct(StringComparer.Ordinal).ToDictionary(name => name, name => service.RealTopic(name), StringComparer.Ordinal);
            var deleted = await transport.Topics.DeleteAsync(names.Values.Distinct(StringComparer.Ordinal), cancellationToken).ConfigureAwait(false);
            return [.. names.Where(name => deleted.Contains(name.Value, StringComparer.Ordinal)).Select(name => name.Key)];
        }

        public async Task<IReadOnlyDictionary<TopicPartitionId,
            long>> GetCommittedOffsetsAsync(string group, string topic, CancellationToken cancellationToken = default)
        {
            var transport = await service.ConnectedAsync(cancellationToken).ConfigureAwait(false);
            return await transport.Topics.GetCommittedOffsetsAsync(group, service.RealTopic(topic), cancellationToken).ConfigureAwait(false);
        }
    }
}
