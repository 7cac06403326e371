using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Inbox;
using Narad.Kafka.Topics;
using Narad.Kafka.Transactions;

namespace Narad.Kafka;

/// <summary>
/// The subscriptions of a service: makes each from its options, with its failure topics, its circuit breaker, its inbox and the subscriptions to its retry
/// topics, and adds them to their groups. Thread-safe.
/// </summary>
/// <param name="kafka">The service's options.</param>
/// <param name="services">The container; null outside of one.</param>
/// <param name="connections">Of the service.</param>
/// <param name="groups">Of the service.</param>
/// <param name="declared">Completes the declared topics before anything is read.</param>
/// <param name="topics">Of the service.</param>
/// <param name="realNames">The real names of topics.</param>
/// <param name="sender">What handlers outside of transactions send through.</param>
/// <param name="diagnostics">Of the service.</param>
/// <param name="logger">Of the service.</param>
internal sealed class ServiceSubscriptions(
    KafkaOptions kafka,
    IServiceProvider? services,
    ServiceConnections connections,
    ServiceGroups groups,
    TopicPreparation declared,
    IKafkaTopics topics,
    RealNames realNames,
    IMessageSender sender,
    KafkaDiagnostics diagnostics,
    ILogger logger)
{
    private readonly ConcurrentDictionary<string, byte> _names = new(StringComparer.Ordinal);
    private ImmutableList<ISubscription> _all = [];

    /// <summary>All of them, those that read retry topics included.</summary>
    public IReadOnlyList<ISubscription> All => _all;

    /// <summary>The names under which they look for their section <c>Kafka:Subscriptions:{name}</c>.</summary>
    public ICollection<string> Names => _names.Keys;

    /// <summary>Their circuit breakers; a subscription shares one with its retry topics.</summary>
    public IEnumerable<CircuitBreaker> Circuits =>
        _all.OfType<Subscription>().Select(subscription => subscription.Settings.Circuit).OfType<CircuitBreaker>().Distinct();

    /// <summary>The dead-letter topics of those that read a topic by name, and of the topics that a pattern found.</summary>
    public IReadOnlyCollection<string> DeadLetterTopics =>
        [.. _all.OfType<Subscription>()
            .Where(subscription => subscription.Settings.FailureTopics is not null && !subscription.Settings.IsPattern)
            .Select(subscription => subscription.Settings.FailureTopics!.DeadLetterNameFor(subscription.Settings.Retries?.Source ?? subscription.Topic))
            .Distinct(StringComparer.Ordinal)];

    /// <summary>Reads a topic, or those of a pattern, in a group.</summary>
    public async Task<ISubscription> SubscribeAsync(
        string topic,
        string? group,
        Action<SubscriptionOptions>? configure,
        bool isBatch,
        string handler,
        Func<SubscriptionSettings, ConsumingMetrics, HandlerPipeline> pipeline,
        CancellationToken cancellationToken)
    {
        var consumers = GroupOf(group);
        var options = SubscriptionSection.Build(kafka.Subscriptions, topic, configure, out var overruled);
        _names.TryAdd(options.Name ?? topic, 0);
        ArgumentNullException.ThrowIfNull(topic);
        var real = TopicName.IsPattern(topic) ? topic : realNames.Of(topic);
        SubscriptionOptionsValidator.ThrowIfInvalid(
            options, real, kafka.Assignor, isBatch,
            [.. ExactlyOnceRules.Check(options, real, connections.Transport!.Mode, kafka), .. BroadcastRules.CheckOrdinary(options, real)]);
        foreach (var setting in overruled)
        {
            ServiceLog.SubscriptionSettingOverruled(logger, setting);
        }

        var failureTopics = options.HasFailureTopics
            ? new FailureTopics(options.Retry.Topic.TopicPolicy, options.Retry.PreserveKeyOrder, options.DeadLetter.TopicName, connections.Transport!, kafka,
                connections.ConnectProducerAsync, consumers.Causes, diagnostics.Time, logger) : null;
        if (failureTopics?.TopicPolicy is not null && string.Equals(failureTopics.RetryNameFor(real), real, StringComparison.Ordinal))
        {
            throw new KafkaConfigurationException(
                [$"the subscription to '{real}' names that same topic as its retry topic. Name another one, or leave the name out."]);
        }

        var settings = SubscriptionSettings.From(real, consumers.Name, options, kafka, services, failureTopics) with
        {
            Handler = handler, Sender = sender, Causes = consumers.Causes,
        };
        if (options.CircuitBreaker.Enabled || options.Once.Enabled || options.NeedsStore)
        {
            settings = settings with
            {
                Circuit = new CircuitBreaker(
                    options.CircuitBreaker, settings.Topic, settings.Group, diagnostics, onlyOutages: !options.CircuitBreaker.Enabled),
            };
        }

        if (options.Once.Enabled)
        {
            settings = settings with { Middleware = [.. settings.Middleware,
                await InboxStart.CreateAsync(options.Once, settings, connections.ClusterIdAsync, topics, consumers.Metrics, diagnostics, cancellationToken)
                    .ConfigureAwait(false)] };
        }

        var handling = pipeline(settings, consumers.Metrics);
        if (handling.Starting is { } starting)
        {
            await starting(cancellationToken).ConfigureAwait(false);
        }

        Subscription subscription = null!;
        subscription = new Subscription(consumers, settings, handling, diagnostics.Time)
        {
            Found = failureTopics is null ? null : source =>
                Task.Run(() => LoggedAsync(subscription, source, () => EnsureFailureTopicsAsync(subscription, source, pipeline))).Forget(),
        };
        if (failureTopics?.TopicPolicy is not null && options.IsOrderOnlyDefault)
        {
            ConsumingLog.OrderEnds(logger, real, consumers.Name);
        }

        try
        {
            await AddAsync(consumers, subscription, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (failureTopics is not null && !settings.IsPattern && consumers.Subscriptions.Contains(subscription))
        {
            // It continues although nobody waits for it, and so must its retries.
            LoggedAsync(subscription, real, () => AddRetriesAsync(subscription, real, pipeline, connections.Ending)).Forget();
            throw;
        }

        if (failureTopics is not null && !settings.IsPattern && connections.Transport!.Mode is not KafkaMode.Console)
        {
            await ReadRetriesAsync(subscription, pipeline, cancellationToken).ConfigureAwait(false);
        }

        return subscription;
    }

    private ConsumerGroup GroupOf(string? group)
    {
        connections.ThrowIfClosed();
        return groups.Get(group);
    }

    private async Task ReadRetriesAsync(
        Subscription subscription, Func<SubscriptionSettings, ConsumingMetrics, HandlerPipeline> pipeline, CancellationToken cancellationToken)
    {
        if (subscription.Settings.FailureTopics!.TopicPolicy is null)
        {
            // One that only redriven messages come through is not waited for: its topic need never be there.
            LoggedAsync(subscription, subscription.Topic, () => AddRetriesAsync(subscription, subscription.Topic, pipeline, connections.Ending)).Forget();
            return;
        }

        try
        {
            await AddRetriesAsync(subscription, subscription.Topic, pipeline, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Nobody would read what it moves there.
            await subscription.StopAsync(CancellationToken.None).ConfigureAwait(false);
            ImmutableInterlocked.Update(ref _all, static (all, refused) => all.Remove(refused), subscription);
            throw;
        }
    }

    private async Task AddAsync(ConsumerGroup consumers, Subscription subscription, CancellationToken cancellationToken)
    {
        ImmutableInterlocked.Update(ref _all, static (all, added) => all.Add(added), subscription);
        try
        {
            await consumers.AddAsync(subscription, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            // One that the group did not take is none; one whose joining nobody waits for any more continues.
            if (!consumers.Subscriptions.Contains(subscription))
            {
                ImmutableInterlocked.Update(ref _all, static (all, refused) => all.Remove(refused), subscription);
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

        var found = await connections.Transport!.Topics.GetPartitionCountsAsync([source], connections.Ending).ConfigureAwait(false);
        await subscription.Settings.FailureTopics!.EnsureAsync(source, found.GetValueOrDefault(source, 1), connections.Ending).ConfigureAwait(false);
        await AddRetriesAsync(subscription, source, pipeline, connections.Ending).ConfigureAwait(false);
    }

    // What nobody awaits says itself that it failed.
    private async Task LoggedAsync(Subscription subscription, string source, Func<Task> work)
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (Exception) when (connections.IsClosed)
        {
            // Nothing is to be seen to any more.
        }
        catch (Exception error)
        {
            ConsumingLog.FailureTopicsNotEnsured(logger, error, source, subscription.Group);
        }
    }

    // Retry topics are read by a group of their own, and only this group's messages of them. Where retries preserve the
    // order of keys, the main group reads them, so that one member has both partitions of a pair.
    private async Task AddRetriesAsync(
        Subscription subscription, string source, Func<SubscriptionSettings, ConsumingMetrics, HandlerPipeline> pipeline, CancellationToken cancellationToken)
    {
        var main = subscription.Settings;
        var group = main.KeepsKeyOrder ? GroupOf(main.Group) : groups.RetriesOf(main.Group, connections.Transport!);
        var settings = main with
        {
            Topic = main.FailureTopics!.RetryNameFor(source),
            Start = StartPosition.Earliest,
            Causes = group.Causes,
            Retries = new RetrySource(source, main.Group, main.FailureTopics.TopicPolicy?.MaxDelay ?? TimeSpan.Zero,
                main.FailureTopics.TopicPolicy?.LongestByPolicy
                ?? TimeSpan.Zero, main.Retry.Topic.AdoptRecordsWithoutGroup),
        };
        var retries = new Subscription(group, settings, pipeline(settings, group.Metrics), diagnostics.Time);
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

    /// <summary>Reads a topic in every process.</summary>
    public async Task<IBroadcastSubscription> SubscribeBroadcastAsync(
        string topic,
        Action<SubscriptionOptions>? configure,
        string handler,
        Func<SubscriptionSettings, ConsumingMetrics, HandlerPipeline> pipeline,
        CancellationToken cancellationToken)
    {
        var real = realNames.Of(topic);
        var options = SubscriptionSection.Build(kafka.Subscriptions, topic + BroadcastRules.SectionSuffix, configure, out var overruled);
        _names.TryAdd(options.Name ?? topic + BroadcastRules.SectionSuffix, 0);
        SubscriptionOptionsValidator.ThrowIfInvalid(options, real, kafka.Assignor, isBatch: false, BroadcastRules.Check(options, real));
        foreach (var setting in overruled)
        {
            ServiceLog.SubscriptionSettingOverruled(logger, setting);
        }

        var transport = await connections.ConnectTransportAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        await declared.ForConnectingAsync(cancellationToken).ConfigureAwait(false);
        var readers = groups.ReadersOf(real, transport);
        var settings = SubscriptionSettings.From(real, readers.Name, options, kafka, services) with
        {
            IsBroadcast = true,
            Start = options.StartPosition ?? StartPosition.Latest,
            StartTime = options.StartTime,
            OutOfRange = options.OnOutOfRange ?? OutOfRangePolicy.ResetToEarliest,
            Unhandled = UnhandledPolicy.StopPartition,
            Handler = handler,
            Sender = sender,
            Causes = readers.Causes,
        };
        if (options.CircuitBreaker.Enabled)
        {
            settings = settings with { Circuit = new CircuitBreaker(options.CircuitBreaker, real, readers.Name, diagnostics, onlyOutages: false) };
        }

        var subscription = new BroadcastSubscription(readers, settings, pipeline(settings, readers.Metrics), diagnostics.Time);
        await AddAsync(readers, subscription, cancellationToken).ConfigureAwait(false);
        return subscription;
    }
}
