using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Inbox;

/// <summary>Prepares the inbox of a subscription that starts.</summary>
internal static class InboxStart
{
    /// <summary>The middleware that handles messages once.</summary>
    /// <exception cref="KafkaConfigurationException">There is no inbox, or it cannot serve the subscription.</exception>
    /// <exception cref="StoreUnavailableException">The inbox's store does not answer.</exception>
    public static async Task<IConsumeMiddleware> CreateAsync(
        InboxOptions options, SubscriptionSettings settings, Func<CancellationToken, Task<string>> clusterId, IKafkaTopics topics,
            ConsumingMetrics metrics, KafkaDiagnostics diagnostics, CancellationToken cancellationToken)
    {
        var inbox = options.Inbox ?? settings.Services?.GetService<IInbox>() ?? throw new KafkaConfigurationException([
            $"the subscription to '{settings.Topic}' sets Once.Enabled, and there is no inbox: add Narad.Kafka.Mongo and call AddMongo(…), register an "
                + $"IInbox, or set Once.Inbox (new InMemoryInbox() for tests).",
        ]);
        var logger = diagnostics.Logger<InboxMiddleware>();
        var guarantee = await inbox.StartAsync(new InboxSubscription(settings.Topic, settings.Group, settings.Timeout, options.Retention), cancellationToken)
            .ConfigureAwait(false);
        if (guarantee is InboxGuarantee.Transactional)
        {
            InboxLog.Transactional(logger, settings.Topic, settings.Group);
        }
        else
        {
            InboxLog.AtLeastOnce(logger, settings.Topic, settings.Group);
        }

        if (!settings.IsPattern)
        {
            await CompareRetentionAsync(options.Retention, settings, topics, logger, cancellationToken).ConfigureAwait(false);
        }

        return new InboxMiddleware(inbox, guarantee, new MessageIdentity(options, clusterId), settings, options.Retention, metrics, diagnostics);
    }

    private static async Task CompareRetentionAsync(TimeSpan retention, SubscriptionSettings settings, IKafkaTopics topics, ILogger logger,
        CancellationToken cancellationToken)
    {
        try
        {
            if (await topics.GetDetailsAsync(settings.Topic, cancellationToken).ConfigureAwait(false) is { } topic && !(topic.Retention <= retention))
            {
                InboxLog.ShortRetention(logger, settings.Topic, settings.Group, Duration.Text(retention), topic.Retention is { } kept ? Duration.Text(kept)
                    : "unlimited");
            }
        }
        catch (Exception error) when (error is KafkaTopicException or NotSupportedException)
        {
            // The embedded broker has no retention, and a missing right is no reason not to start.
        }
    }
}
