using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Failures;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Notices what happens to the topics that a group reads, which the client does not say: one was deleted; one was deleted and created again, which shows
/// by its id (where the old position is in the new log, the client continues there, and what is before it would be lost); one that was refused may be read
/// again. One task; <see cref="PartitionsOf"/> is thread-safe.
/// </summary>
internal sealed class TopicWatch(KafkaTopics topics, ConsumerGroup group, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    // Twice: a topic that is just being created is not found either.
    private const int AbsentLooks = 2;

    // Every twenty seconds.
    private const int SettingsLooks = 4;

    private readonly Dictionary<string, string> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _absent = new(StringComparer.Ordinal);
    private int _looks;
    private readonly HashSet<string> _gone = new(StringComparer.Ordinal);     // retry topics whose end was logged
    private long _waiting;      // for their retries, when every topic was last seen
    private long _lost;         // messages that had been deleted while they waited, at the latest look
    private readonly ConcurrentDictionary<string, int> _partitions = new(StringComparer.Ordinal);

    /// <summary>How many partitions a topic had when it was last looked at; null where it was not found.</summary>
    public int? PartitionsOf(string topic) => _partitions.TryGetValue(topic, out var partitions) ? partitions : null;

    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await LookAsync(cancellationToken).ConfigureAwait(false);
                await LookAtSettingsAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error) when (error is KafkaTopicException or KafkaConnectionException)
            {
                // What is known stays known, so the next look finds out.
                ConsumingLog.IdsUnknown(logger, error, group.Name);
            }

            await Task.Delay(Interval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    // Settings are changed while messages wait: looked at now and then, and at once after some were lost.
    private async Task LookAtSettingsAsync(CancellationToken cancellationToken)
    {
        var lost = group.Metrics.Gone;
        var wereLost = lost != _lost;
        if (++_looks % SettingsLooks != 0 && !wereLost && group.Causes.SubjectsOf(RetryTopicRules.Settings).Count == 0)
        {
            return;
        }

        _lost = lost;
        foreach (var subscription in group.Subscriptions.Where(static subscription => subscription.State is SubscriptionState.Running))
        {
            // The subscription to the source looks at both topics. The one to its retry topic only tells of losses: it may be in another group.
            if (subscription.Settings is { FailureTopics: { } failureTopics } && (subscription.Settings.Retries is null || wereLost))
            {
                await failureTopics.CheckAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var asked = group.TopicsRead();
        var refused = group.Errors.RefusedTopics;
        var seen = await topics.SeeAsync(asked, cancellationToken).ConfigureAwait(false);
        var rights = await topics.GetReadRightsAsync(group.Name, [.. refused.Where(seen.ContainsKey)], cancellationToken).ConfigureAwait(false);
        foreach (var topic in asked)
        {
            if (!seen.TryGetValue(topic, out var sight))
            {
                _partitions.TryRemove(topic, out _);
                if ((_absent[topic] = _absent.GetValueOrDefault(topic) + 1) == AbsentLooks)
                {
                    _absent.Remove(topic);
                    LogLostWith(topic);
                    group.Miss(topic);
                }

                continue;
            }

            _absent.Remove(topic);
            group.Errors.Looked(topic, sight.IsRefused);
            if (sight.IsRefused)
            {
                continue;
            }

            _partitions[topic] = sight.Partitions;
            if (sight.Id is { } id)
            {
                if (_ids.TryGetValue(topic, out var known) && !string.Equals(known, id, StringComparison.Ordinal))
                {
                    LogLostWith(topic);
                    _gone.Remove(topic);
                    await group.AskAsync(control => control.StartAgain(topic, id), cancellationToken).ConfigureAwait(false);
                }

                _ids[topic] = id;
            }

            // The client says once that it may not read a topic, and never that it may again.
            if (rights.GetValueOrDefault(topic) && group.Errors.MayRead(topic))
            {
                ConsumingLog.ReadableAgain(logger, topic, group.Name);
            }
        }

        if (_absent.Count == 0)
        {
            _waiting = group.Loop?.WaitingRetries ?? 0;
        }
    }

    // Its partitions are lost by then, and with them what is known of the messages that waited there.
    private void LogLostWith(string topic)
    {
        if (group.Subscriptions.FirstOrDefault(subscription => string.Equals(subscription.Topic, topic, StringComparison.Ordinal)) is { IsOptional: false,
            Settings.Retries: { } retries } && _gone.Add(topic))
        {
            ConsumingLog.RetryTopicDeleted(logger, topic, group.Name, retries.Source, _waiting);
        }
    }
}
