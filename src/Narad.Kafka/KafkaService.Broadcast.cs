using System.Collections.Immutable;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Transports;

namespace Narad.Kafka;

/// <content>Broadcast subscriptions.</content>
public sealed partial class KafkaService
{
    private ImmutableList<ConsumerGroup> _broadcasts = [];    // one for each client; written under _lock, read by anybody

    /// <inheritdoc/>
    public Task<IBroadcastSubscription> SubscribeBroadcastAsync<T>(string topic, Func<T, MessageContext, CancellationToken, Task> handler,
        Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return SubscribeBroadcastAsync(topic, configure, HandlerName.Of(handler), (settings, metrics) =>
            new SinglePipeline<T>(handler, settings, metrics, _diagnostics), cancellationToken);
    }

    internal async Task<IBroadcastSubscription> SubscribeBroadcastAsync(
        string topic,
        Action<SubscriptionOptions>? configure,
        string handler,
        Func<SubscriptionSettings, ConsumingMetrics, HandlerPipeline> pipeline,
        CancellationToken cancellationToken)
    {
        ThrowIfEnded();
        Init();
        var real = RealTopic(topic);
        var options = SubscriptionSection.Build(_options.Subscriptions, topic + BroadcastRules.SectionSuffix, configure, out var overruled);
        _subscribed.TryAdd(options.Name ?? topic + BroadcastRules.SectionSuffix, 0);
        SubscriptionOptionsValidator.ThrowIfInvalid(options, real, _options.Assignor, isBatch: false, BroadcastRules.Check(options, real));
        foreach (var setting in overruled)
        {
            ServiceLog.SubscriptionSettingOverruled(_logger, setting);
        }

        var transport = await ConnectTransportAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        await _topics.ForConnectingAsync(cancellationToken).ConfigureAwait(false);
        var readers = BroadcastReadersOf(real, transport);
        var settings = SubscriptionSettings.From(real, readers.Name, options, _options, _services) with
        {
            IsBroadcast = true,
            Start = options.StartPosition ?? StartPosition.Latest,
            StartTime = options.StartTime,
            OutOfRange = options.OnOutOfRange ?? OutOfRangePolicy.ResetToEarliest,
            Unhandled = UnhandledPolicy.StopPartition,
            Handler = handler,
            Sender = new ServiceSender(this),
            Causes = readers.Causes,
        };
        if (options.CircuitBreaker.Enabled)
        {
            settings = settings with { Circuit = new CircuitBreaker(options.CircuitBreaker, real, readers.Name, _diagnostics, onlyOutages: false) };
        }

        var subscription = new BroadcastSubscription(readers, settings, pipeline(settings, readers.Metrics), _diagnostics.Time);
        await AddAsync(readers, subscription, cancellationToken).ConfigureAwait(false);
        return subscription;
    }

    // One client reads all topics; a second subscription to one of them has another.
    private ConsumerGroup BroadcastReadersOf(string topic, ITransport transport)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disconnecting is not null, this);
            if (_broadcasts.Find(readers => readers.Reserve(topic)) is { } free)
            {
                return free;
            }

            var name = $"{_options.ClientId}{BroadcastRules.SectionSuffix}{(_broadcasts.IsEmpty ? "" : $"-{_broadcasts.Count + 1}")}";
            var added = new ConsumerGroup(name, transport, _options, _diagnostics, OnFailure)
            {
                Broadcast = new BroadcastPositions(),
                Prepared = _topics.CompleteAsync,
            };
            added.Reserve(topic);
            _broadcasts = _broadcasts.Add(added);
            return added;
        }
    }
}
