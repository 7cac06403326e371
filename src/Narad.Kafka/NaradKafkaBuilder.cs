using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Inbox;
using Narad.Kafka.MessageStore;
using Narad.Kafka.Outbox;

namespace Narad.Kafka;

/// <summary>What <c>AddNaradKafka()</c> returns: adds subscriptions and middleware to the hosted service. Every method returns the same builder.</summary>
public sealed class NaradKafkaBuilder
{
    internal NaradKafkaBuilder(IServiceCollection services) => Services = services;

    /// <summary>The application's services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Changes the settings; what is configured later wins.</summary>
    public NaradKafkaBuilder Configure(Action<KafkaOptions> configure)
    {
        Services.AddOptions<KafkaOptions>().Configure(configure);
        return this;
    }

    /// <summary>
    /// Declares a topic: the host's start creates it before any subscription starts, or compares it where it exists
    /// (<see cref="KafkaOptions.OnTopicMismatch"/>). What is left out is as the service's settings and the cluster have it.
    /// </summary>
    /// <param name="name">Its name, which may be logical (<see cref="KafkaOptions.TopicNames"/>).</param>
    /// <param name="partitions">How many partitions, 1 to 10,000. Default <see cref="KafkaOptions.TopicPartitions"/> for a new topic.</param>
    /// <param name="retention">How long messages are kept, 1 ms or more; <see cref="Timeout.InfiniteTimeSpan"/> for unlimited. Default the cluster's.</param>
    /// <param name="cleanupPolicy">Whether old messages are deleted, compacted, or both. Default the cluster's.</param>
    /// <param name="replicationFactor">How many replicas. Default <see cref="KafkaOptions.TopicReplicationFactor"/> for a new topic.</param>
    /// <param name="settings">Any other topic settings, such as <c>segment.bytes</c>.</param>
    /// <example>
    /// <code>
    /// builder.Services.AddNaradKafka()
    ///     .AddTopic("messages", partitions: 6, retention: TimeSpan.FromHours(24))
    ///     .AddTopic("customers", cleanupPolicy: TopicCleanupPolicy.Compact);
    /// </code>
    /// </example>
    public NaradKafkaBuilder AddTopic(
        string name,
        int? partitions = null,
        TimeSpan? retention = null,
        TopicCleanupPolicy? cleanupPolicy = null,
        short? replicationFactor = null,
        IReadOnlyDictionary<string, string>? settings = null) =>
        AddTopic(new TopicSpec(name, partitions, replicationFactor, settings) { Retention = retention, CleanupPolicy = cleanupPolicy });

    /// <summary>
    /// Declares a topic; see <see cref="AddTopic(string, int?, TimeSpan?, TopicCleanupPolicy?, short?, IReadOnlyDictionary{string, string}?)"/>.
    /// </summary>
    public NaradKafkaBuilder AddTopic(TopicSpec topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        return Configure(options => options.Topics.Add(topic));
    }

    /// <summary>
    /// Declares where messages of a type go: they are sent by <c>SendAsync(message)</c>, and a subscription to the type needs no topic. Two routes for one
    /// type fail the host's start.
    /// </summary>
    /// <typeparam name="T">The messages' type.</typeparam>
    /// <param name="topic">The topic's name, or the logical name that <see cref="KafkaOptions.TopicNames"/> maps.</param>
    /// <param name="configure">Key, headers, serializer.</param>
    /// <example>
    /// <code>
    /// kafka.AddRoute&lt;OrderPlaced&gt;("orders", route =&gt; route.KeySelector = order =&gt; order.OrderId)
    ///     .AddSubscription&lt;OrderPlaced, BillOrder&gt;(group: "billing");
    /// </code>
    /// </example>
    public NaradKafkaBuilder AddRoute<T>(string topic, Action<MessageRoute<T>>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(topic);
        return Configure(options => options.Routes.Add(topic, configure));
    }

    /// <summary>Handles a topic's messages with <typeparamref name="THandler"/> from the host's start on.</summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <typeparam name="THandler">The handler; transient if nothing else registered it. Each message has a scope; a singleton costs none.</typeparam>
    /// <param name="topic">
    /// A topic's name, or a pattern (a regular expression that starts with <c>^</c>); null for that of the type's route (<see cref="AddRoute{T}"/>), without
    /// which the host does not start.
    /// </param>
    /// <param name="group">The group; default <see cref="KafkaOptions.ConsumerGroupId"/>. With neither, the host does not start.</param>
    /// <param name="configure">Parallelism, order, retries, start position …</param>
    /// <example>
    /// <code>
    /// kafka.AddSubscription&lt;OrderPlaced, BillOrder&gt;("orders", group: "billing", o =&gt; o.DeadLetter.Enabled = true);
    /// </code>
    /// </example>
    public NaradKafkaBuilder AddSubscription<T, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        string? topic = null, string? group = null, Action<SubscriptionOptions>? configure = null)
        where THandler : class, IMessageHandler<T>
    {
        Services.TryAddTransient<THandler>();
        return Add<T, THandler>(topic, group, configure, isBatch: false, static (settings, metrics, diagnostics, host) =>
            new SinglePipeline<T>(host.Handle<T, THandler>(), settings, metrics, diagnostics));
    }

    /// <summary>
    /// Handles the messages of a topic that carries several types, each type with its own handler, from the host's start on. A message of a type without a
    /// handler is treated as <c>Otherwise</c> says; by default as a message that cannot be read.
    /// </summary>
    /// <param name="topic">A topic's name, or a pattern (a regular expression that starts with <c>^</c>).</param>
    /// <param name="types">Declares the types and their handlers. Its errors fail the host's start, all together.</param>
    /// <param name="group">The group; default <see cref="KafkaOptions.ConsumerGroupId"/>. With neither, the host does not start.</param>
    /// <param name="configure">Parallelism, order, retries, start position …; its deserializer reads what the handlers take.</param>
    public NaradKafkaBuilder AddSubscription(
        string topic, Action<MessageTypeMap> types, string? group = null, Action<SubscriptionOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(types);
        var map = new MessageTypeMap();
        types(map);
        map.Register(Services);
        return Add(topic, group, map.Configured(configure, isHosted: true), isBatch: false, map.Pipeline, map.HostedHandlers,
            MessageTypeMap.HandlerName, messageType: null, map.Errors(isHosted: true));
    }

    /// <summary>
    /// Handles every message of a topic in every instance with <typeparamref name="THandler"/> from the host's start on: see
    /// <see cref="IKafkaService.SubscribeBroadcastAsync{T}"/>.
    /// </summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <typeparam name="THandler">The handler; transient if nothing else registered it. Each message has a scope; a singleton costs none.</typeparam>
    /// <param name="topic">A topic's name; null for that of the type's route (<see cref="AddRoute{T}"/>).</param>
    /// <param name="configure">Where to start (default: at the end), parallelism, order, in-memory retries …</param>
    /// <param name="waitUntilCaughtUp">
    /// Whether the host's start waits until what the topic held was handled, so that a web application answers its first request with a warm cache.
    /// It waits for a broker, too.
    /// </param>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleton&lt;PriceCache&gt;();
    /// builder.Services.AddNaradKafka()
    ///     .AddBroadcastSubscription&lt;Price, PriceCache&gt;("prices", o =&gt; o.StartPosition = StartPosition.Earliest, waitUntilCaughtUp: true);
    /// </code>
    /// </example>
    public NaradKafkaBuilder AddBroadcastSubscription<T, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        string? topic = null, Action<SubscriptionOptions>? configure = null, bool waitUntilCaughtUp = false)
        where THandler : class, IMessageHandler<T>
    {
        Services.TryAddTransient<THandler>();
        return Add(topic, group: null, configure, isBatch: false, static (settings, metrics, diagnostics, host) =>
            new SinglePipeline<T>(host.Handle<T, THandler>(), settings, metrics, diagnostics), [typeof(THandler)], typeof(THandler).Name, typeof(T), [],
            waitUntilCaughtUp);
    }

    /// <summary>Handles a topic's messages in batches with <typeparamref name="THandler"/> from the host's start on.</summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <typeparam name="THandler">The handler; registered transient if nothing else registered it. Each batch has a scope.</typeparam>
    /// <param name="topic">See <see cref="AddSubscription{T, THandler}"/>.</param>
    /// <param name="group">The group; default <see cref="KafkaOptions.ConsumerGroupId"/>. With neither, the host does not start.</param>
    /// <param name="configure">Batch size and wait, retries, start position …</param>
    /// <example>
    /// <code>
    /// kafka.AddBatchSubscription&lt;OrderPlaced, BillOrders&gt;("orders", group: "billing", o =&gt;
    /// {
    ///     o.MaxBatchSize = 200;
    ///     o.MaxBatchWait = TimeSpan.FromMilliseconds(100);
    /// });
    /// </code>
    /// </example>
    public NaradKafkaBuilder AddBatchSubscription<T, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        string? topic = null, string? group = null, Action<SubscriptionOptions>? configure = null)
        where THandler : class, IBatchHandler<T>
    {
        Services.TryAddTransient<THandler>();
        return Add<T, THandler>(topic, group, configure, isBatch: true, static (settings, metrics, diagnostics, host) =>
            new BatchPipeline<T>(host.HandleBatch<T, THandler>(), settings, metrics, diagnostics));
    }

    /// <summary>
    /// Handles the messages of a topic that carries several types in batches with <typeparamref name="THandler"/>, each message read as its own type, from the
    /// host's start on. A message of a type that is not declared is treated as <c>Otherwise</c> says; one that is skipped is in no batch.
    /// </summary>
    /// <typeparam name="T">A base type of all messages.</typeparam>
    /// <typeparam name="THandler">The handler; registered transient if nothing else registered it. Each batch has a scope.</typeparam>
    /// <param name="topic">A topic's name, or a pattern (a regular expression that starts with <c>^</c>).</param>
    /// <param name="types">Declares the types, with <c>Derived</c>. Its errors fail the host's start, all together.</param>
    /// <param name="group">The group; default <see cref="KafkaOptions.ConsumerGroupId"/>. With neither, the host does not start.</param>
    /// <param name="configure">Batch size and wait, retries, start position …</param>
    public NaradKafkaBuilder AddBatchSubscription<T, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        string topic, Action<MessageTypeMap> types, string? group = null, Action<SubscriptionOptions>? configure = null)
        where THandler : class, IBatchHandler<T>
    {
        ArgumentNullException.ThrowIfNull(types);
        Services.TryAddTransient<THandler>();
        var map = new MessageTypeMap { BatchOf = typeof(T) };
        types(map);
        return Add(topic, group, map.Configured(configure, isHosted: true), isBatch: true,
            (settings, metrics, diagnostics, host) => map.BatchPipeline(host.HandleBatch<T, THandler>(), settings, metrics, diagnostics),
            [typeof(THandler)], typeof(THandler).Name, messageType: null, map.Errors(isHosted: true));
    }

    /// <summary>
    /// Stores a topic's messages from the host's start on, without a handler, idempotently by message id: in batches of
    /// <see cref="SubscriptionOptions.MaxBatchSize"/> or after
    /// <see cref="SubscriptionOptions.MaxBatchWait"/>. An offset is committed only after the store has acknowledged its message. A message that the store
    /// refuses is treated as a failed handler
    /// treats one (retries, dead letter). While the store is unavailable the subscription pauses, and it resumes by itself.
    /// </summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <param name="topic">A topic's name, or a pattern (a regular expression that starts with <c>^</c>).</param>
    /// <param name="collection">The collection (or table) that the messages go to.</param>
    /// <param name="group">The group; default <see cref="KafkaOptions.ConsumerGroupId"/>. With neither, the host does not start.</param>
    /// <param name="store">Ids, what is stored, what happens to an id that is there already, retention.</param>
    /// <param name="configure">Batch size and wait, retries, start position …</param>
    public NaradKafkaBuilder AddMessageStore<T>(
        string topic, string collection, string? group = null, Action<MessageStoreOptions<T>>? store = null, Action<SubscriptionOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(collection);
        var options = new MessageStoreOptions<T>();
        store?.Invoke(options);
        if (options.Retention is { } kept && (kept < TimeSpan.FromSeconds(1) || kept > TimeSpan.FromDays(10_000)))
        {
            throw new ArgumentOutOfRangeException(nameof(store), kept,
                $"{nameof(options.Retention)} of collection '{collection}': set a time from 1 s to 10,000 days, or nothing to keep messages for ever.");
        }

        var needed = options.Store is null ? typeof(IMessageStore) : typeof(KafkaService);
        var target = new MessageStoreTarget(collection, options.WriteMode, options.Retention);
        return Add(topic, group, settings => { settings.NeedsStore = true; configure?.Invoke(settings); }, isBatch: true,
            (settings, metrics, diagnostics, host) =>
        {
            var identity = new MessageIdentity(options, host.Services.GetRequiredService<KafkaService>().ClusterIdAsync);
            var handler = new MessageStoreHandler<T>(options.Store ?? host.Services.GetRequiredService<IMessageStore>(), target, options, identity,
                metrics);
            return new BatchPipeline<T>(handler.HandleAsync, settings, metrics, diagnostics) { Starting = handler.StartAsync };
        }, [needed], needed.Name, messageType: null, errors: []);
    }

    /// <summary>
    /// Adds <see cref="IOutbox"/>: messages are stored in the application's database, in the application's own transaction, and a relay of this or another
    /// instance sends them from there, in the order of each key. The store is that of <c>AddMongo</c>, or <see cref="OutboxOptions.Store"/>.
    /// </summary>
    /// <param name="configure">Changes the settings; they are read from the section <c>Kafka:Outbox</c> too.</param>
    /// <exception cref="InvalidOperationException">It was called before for this service.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddNaradKafka()
    ///     .AddMongo()
    ///     .AddOutbox();
    /// builder.Services.AddHealthChecks().AddNaradKafka().AddNaradKafkaOutbox();
    /// </code>
    /// </example>
    public NaradKafkaBuilder AddOutbox(Action<OutboxOptions>? configure = null)
    {
        if (Services.Any(static service => service.ServiceType == typeof(OutboxService)))
        {
            throw new InvalidOperationException("AddOutbox was called before for this service. Call it once.");
        }

        Services.AddSingleton(provider => new OutboxService(provider.GetRequiredService<KafkaService>(), provider, configure));
        Services.AddSingleton(static provider => provider.GetRequiredService<OutboxService>().Outbox);
        Services.AddHostedService<OutboxHostedService>();
        return this;
    }

    /// <summary>Adds middleware around every send; a singleton.</summary>
    public NaradKafkaBuilder UseSendMiddleware<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TMiddleware>()
        where TMiddleware : class, ISendMiddleware
    {
        Services.AddSingleton<ISendMiddleware, TMiddleware>();
        return this;
    }

    /// <summary>Adds middleware around every handler; a singleton.</summary>
    public NaradKafkaBuilder UseConsumeMiddleware<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TMiddleware>()
        where TMiddleware : class, IConsumeMiddleware
    {
        Services.AddSingleton<IConsumeMiddleware, TMiddleware>();
        return this;
    }

    /// <summary>Adds an observer that is told of every message that goes to a retry or dead-letter topic; a singleton.</summary>
    public NaradKafkaBuilder UseFailureObserver<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TObserver>()
        where TObserver : class, IFailureObserver
    {
        Services.AddSingleton<IFailureObserver, TObserver>();
        return this;
    }

    private NaradKafkaBuilder Add<T, THandler>(
        string? topic, string? group, Action<SubscriptionOptions>? configure, bool isBatch, SubscriptionRegistration.PipelineFactory pipeline) =>
        Add(topic, group, configure, isBatch, pipeline, [typeof(THandler)], typeof(THandler).Name, typeof(T), []);

    private NaradKafkaBuilder Add(
        string? topic, string? group, Action<SubscriptionOptions>? configure, bool isBatch, SubscriptionRegistration.PipelineFactory pipeline,
        IReadOnlyList<Type> handlers, string handlerName, Type? messageType, IEnumerable<string> errors, bool? broadcastWaits = null)
    {
        if (topic is not null || messageType is null)
        {
            ArgumentException.ThrowIfNullOrEmpty(topic);
        }

        if (group is not null)
        {
            GroupName.Validate(group, nameof(group));
        }

        var services = Services;
        Services.AddSingleton(new SubscriptionRegistration(
            topic, messageType, group, configure, isBatch, pipeline,
            handler => services.Last(service => service.ServiceType == handler).Lifetime is ServiceLifetime.Singleton, handlers, handlerName, errors)
        {
            BroadcastWaits = broadcastWaits,
        });
        return this;
    }
}
