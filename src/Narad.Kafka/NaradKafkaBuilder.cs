using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Inbox;
using Narad.Kafka.MessageStore;

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

    /// <summary>Handles a topic's messages with <typeparamref name="THandler"/> from the host's start on.</summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <typeparam name="THandler">The handler; registered scoped (a scope a message) if nothing else registered it. A singleton costs no scope.</typeparam>
    /// <param name="topic">A topic's name, or a pattern (a regular expression that starts with <c>^</c>).</param>
    /// <param name="group">The group; default <see cref="KafkaOptions.ConsumerGroupId"/>. With neither, the host does not start.</param>
    /// <param name="configure">Parallelism, order, retries, start position …</param>
    /// <example>
    /// <code>
    /// kafka.AddSubscription&lt;OrderPlaced, BillOrder&gt;("orders", group: "billing", o =&gt; o.DeadLetter.Enabled = true);
    /// </code>
    /// </example>
    public NaradKafkaBuilder AddSubscription<T, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        string topic, string? group = null, Action<SubscriptionOptions>? configure = null)
        where THandler : class, IMessageHandler<T>
    {
        Services.TryAddScoped<THandler>();
        return Add<THandler>(topic, group, configure, isBatch: false, static (settings, metrics, diagnostics, host) =>
            new SinglePipeline<T>(Handle<T, THandler>(host), settings, metrics, diagnostics));
    }

    /// <summary>Handles a topic's messages in batches with <typeparamref name="THandler"/> from the host's start on.</summary>
    /// <typeparam name="T">The message's type.</typeparam>
    /// <typeparam name="THandler">The handler; registered scoped (a scope a batch) if nothing else registered it.</typeparam>
    /// <param name="topic">A topic's name, or a pattern (a regular expression that starts with <c>^</c>).</param>
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
        string topic, string? group = null, Action<SubscriptionOptions>? configure = null)
        where THandler : class, IBatchHandler<T>
    {
        Services.TryAddScoped<THandler>();
        return Add<THandler>(topic, group, configure, isBatch: true, static (settings, metrics, diagnostics, host) =>
            new BatchPipeline<T>(HandleBatch<T, THandler>(host), settings, metrics, diagnostics));
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

        var target = new MessageStoreTarget(collection, options.WriteMode, options.Retention);
        return Add(topic, group, settings => { settings.NeedsStore = true; configure?.Invoke(settings); }, isBatch: true,
            (settings, metrics, diagnostics, host) =>
        {
            var identity = new MessageIdentity(options, host.Services.GetRequiredService<KafkaService>().ClusterIdAsync);
            var handler = new MessageStoreHandler<T>(options.Store ?? host.Services.GetRequiredService<IMessageStore>(), target, options, identity,
                metrics);
            return new BatchPipeline<T>(handler.HandleAsync, settings, metrics, diagnostics) { Starting = handler.StartAsync };
        }, options.Store is null ? typeof(IMessageStore) : typeof(KafkaService));
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

    private NaradKafkaBuilder Add<THandler>(
        string topic, string? group, Action<SubscriptionOptions>? configure, bool isBatch, SubscriptionRegistration.PipelineFactory pipeline) =>
        Add(topic, group, configure, isBatch, pipeline, typeof(THandler));

    private NaradKafkaBuilder Add(
        string topic, string? group, Action<SubscriptionOptions>? configure, bool isBatch, SubscriptionRegistration.PipelineFactory pipeline, Type handler)
    {
        ArgumentException.ThrowIfNullOrEmpty(topic);
        if (group is not null)
        {
            GroupName.Validate(group, nameof(group));
        }

        var services = Services;
        Services.AddSingleton(new SubscriptionRegistration(
            topic, group, configure, isBatch, pipeline,
            () => services.Last(service => service.ServiceType == handler).Lifetime is ServiceLifetime.Singleton, handler));
        return this;
    }

    private static Func<T, MessageContext, CancellationToken, Task> Handle<T, THandler>(HandlerHost host)
        where THandler : class, IMessageHandler<T>
    {
        if (host.IsSingleton)
        {
            return host.Services.GetRequiredService<THandler>().HandleAsync;
        }

        var scopes = host.Services.GetRequiredService<IServiceScopeFactory>();
        return async (message, context, token) =>
        {
            // No await using: its ConfigureAwait would put the scope into a box for each message.
            var scope = scopes.CreateAsyncScope();
            try
            {
                context.Services = scope.ServiceProvider;
                await Create<THandler>(scope.ServiceProvider).HandleAsync(message, context, token).ConfigureAwait(false);
            }
            finally
            {
                await scope.DisposeAsync().ConfigureAwait(false);
            }
        };
    }

    private static Func<MessageBatch<T>, CancellationToken, Task> HandleBatch<T, THandler>(HandlerHost host)
        where THandler : class, IBatchHandler<T>
    {
        if (host.IsSingleton)
        {
            return host.Services.GetRequiredService<THandler>().HandleAsync;
        }

        var scopes = host.Services.GetRequiredService<IServiceScopeFactory>();
        return async (batch, token) =>
        {
            var scope = scopes.CreateAsyncScope();
            await using var scopeDisposal = scope.ConfigureAwait(false);
            foreach (var item in batch.Items)
            {
                item.Context.Services = scope.ServiceProvider;
            }

            await Create<THandler>(scope.ServiceProvider).HandleAsync(batch, token).ConfigureAwait(false);
        };
    }

    private static THandler Create<THandler>(IServiceProvider services)
        where THandler : class
    {
        try
        {
            return services.GetRequiredService<THandler>();
        }
        catch (Exception error)
        {
            throw new HandlerNotCreatedException(typeof(THandler), error);
        }
    }
}
