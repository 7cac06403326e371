using System.Globalization;
using Narad.Kafka.Configuration;
using Narad.Kafka.Producing;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Failures;

/// <summary>
/// Finds out where a dead letter goes when it is sent again, and sends it there. What its headers say was written by whoever may write to the dead-letter topic:
/// it goes to topics that exist, never to internal ones, and none is created but a retry topic. Not thread-safe: one redrive's own.
/// </summary>
internal sealed class Redriver(string deadLetterTopic, RedriveTarget target, string? retryTopic, Func<string, string, string?> retryTopicOf, bool dryRun, CopyTopics topics, ITransport transport, KafkaOptions options, TimeProvider time)
{
    private const int MostTopicsKnown = 1_000;

    private readonly Dictionary<string, int> _partitions = new(StringComparer.Ordinal);   // by topic; 0 for one that does not exist

    /// <summary>The route of a dead letter, or why there is none.</summary>
    /// <exception cref="KafkaTopicException">Its group's retry topic does not exist and may not be created, or no broker answered.</exception>
    public async Task<(RedriveRoute? Route, PassedOverReason Reason, string Explanation)> RouteAsync(DeadLetter letter, CancellationToken cancellationToken)
    {
        if (target is RedriveTarget.EveryGroup)
        {
            if (letter.SourceTopic is not { } source)
            {
                return (null, PassedOverReason.NoOrigin, $"it does not say which topic it came from ({FailureHeaders.Topic})");
            }

            return MayBeWritten(source) && await PartitionsAsync(source, cancellationToken).ConfigureAwait(false) is > 0 and var count
                ? (new RedriveRoute(source, (letter.SourcePartition ?? letter.Place.Partition) % count, Origin: null), default, "")
                : (null, PassedOverReason.NoTopic, $"the topic that it came from does not exist, or may not be written to so ({FailureHeaders.Topic})");
        }

        if (FailureHeaders.OriginOf(letter.Headers) is not { } origin || GroupName.Fault(origin.Group) is not null)
        {
            return (null, PassedOverReason.NoOrigin, $"it does not say completely where it came from and which group could not handle it ({FailureHeaders.Topic}, -partition, -offset, -timestamp, -group)");
        }

        var retry = retryTopic ?? retryTopicOf(origin.Group, origin.Topic) ?? origin.Topic + CopyTopics.RetrySuffix;
        return MayBeWritten(retry) && await RetryPartitionsAsync(retry, origin.Topic, cancellationToken).ConfigureAwait(false) is > 0 and var partitions
            ? (new RedriveRoute(retry, origin.Partition % partitions, origin), default, "")
            : (null, PassedOverReason.NoTopic, $"the topic that it came from does not exist, nor does its retry topic ({FailureHeaders.Topic})");
    }

    /// <summary>Sends a copy; completes when the broker has it. Null: it is too large, even without what need not be in it.</summary>
    /// <exception cref="KafkaSendException">It was not acknowledged.</exception>
    public async Task<SendResult?> SendAsync(MessageProducer producer, DeadLetter letter, RedriveRoute route, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var audit = string.Create(CultureInfo.InvariantCulture, $"{now.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ} {options.ClientId} {letter}");
        try
        {
            return await SendAsync(audit).ConfigureAwait(false);
        }
        catch (KafkaSendException refused) when (refused.IsTooLarge)
        {
            // What we add gives way, never what the application sent.
        }

        try
        {
            return await SendAsync(audit: null).ConfigureAwait(false);
        }
        catch (KafkaSendException refused) when (refused.IsTooLarge)
        {
            return null;
        }

        ValueTask<SendResult> SendAsync(string? audit) => producer.SendCopyAsync(
            route.Topic,
            letter.Key.WireBytes,
            letter.RawValue,
            route.Origin is { } origin ? FailureHeaders.ForRedrive(letter.Headers, origin, audit, now) : FailureHeaders.ForEveryGroup(letter.Headers, audit),
            route.Partition,
            cancellationToken);
    }

    private bool MayBeWritten(string topic) =>
        TopicName.IsLegal(topic) && !topic.StartsWith("__", StringComparison.Ordinal) && !string.Equals(topic, deadLetterTopic, StringComparison.Ordinal);

    private async Task<int> RetryPartitionsAsync(string retry, string source, CancellationToken cancellationToken)
    {
        if (await PartitionsAsync(retry, cancellationToken).ConfigureAwait(false) is > 0 and var found)
        {
            return found;
        }

        var wanted = TopicName.IsLegal(source) ? await PartitionsAsync(source, cancellationToken).ConfigureAwait(false) : 0;
        if (wanted == 0)
        {
            return 0;
        }

        // A dry run creates nothing, and says what is missing where nothing may be created.
        return _partitions[retry] = dryRun && options.CreatesTopics(transport.Mode)
            ? wanted
            : await topics.EnsureRetryAsync(retry, source, wanted, cancellationToken).ConfigureAwait(false);
    }

    private async Task<int> PartitionsAsync(string topic, CancellationToken cancellationToken)
    {
        if (_partitions.TryGetValue(topic, out var known))
        {
            return known;
        }

        if (_partitions.Count >= MostTopicsKnown)
        {
            _partitions.Clear();   // forged names
        }

        var found = await transport.Topics.DescribeAsync([topic], cancellationToken).ConfigureAwait(false);
        return _partitions[topic] = found.GetValueOrDefault(topic);
    }
}
