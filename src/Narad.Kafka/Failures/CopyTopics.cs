using System.Collections.Concurrent;
using Confluent.Kafka;
using Narad.Kafka.Consuming;
using Narad.Kafka.Producing;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Failures;

/// <summary>
/// Where copies of a subscription's failed messages go, its retry topic and its dead-letter topic: sees to it that they are there before anything fails, and publishes
/// the copies. It never decides what becomes of a message, and never finishes an offset. Thread-safe.
/// </summary>
internal sealed class CopyTopics
{
    /// <summary>What a source topic's name gets where no name was given.</summary>
    public const string RetrySuffix = "-retry";

    /// <summary>What a source topic's name gets where no name was given.</summary>
    public const string DeadLetterSuffix = "-dlt";

    private readonly RetryLadder? _ladder;
    private readonly string? _deadLetterName;
    private readonly ITransport _transport;
    private readonly Func<Task<MessageProducer>> _producer;
    private readonly bool _creates;
    private readonly ConcurrentDictionary<string, int> _partitions = new(StringComparer.Ordinal);   // of retry and dead-letter topics that are known to be there

    public CopyTopics(RetryLadder? ladder, string? deadLetterName, ITransport transport, KafkaOptions options, Func<Task<MessageProducer>> producer)
    {
        _ladder = ladder;
        _deadLetterName = deadLetterName;
        _transport = transport;
        _producer = producer;
        _creates = options.CreatesTopics(transport.Mode);
    }

    /// <summary>Null: nothing is retried through a topic, only what was redriven comes that way.</summary>
    public RetryLadder? Ladder => _ladder;

    public string RetryNameFor(string source) => _ladder?.Topic ?? source + RetrySuffix;

    public string DeadLetterNameFor(string source) => _deadLetterName ?? source + DeadLetterSuffix;

    /// <summary>Whether a topic that a pattern found is one of those that copies go to: not a source of its own.</summary>
    public bool IsForCopies(string topic) =>
        topic.EndsWith(RetrySuffix, StringComparison.Ordinal)
        || (_deadLetterName is null ? topic.EndsWith(DeadLetterSuffix, StringComparison.Ordinal) : string.Equals(topic, _deadLetterName, StringComparison.Ordinal));

    /// <summary>Creates the retry and dead-letter topics of a source topic where that is wanted; connects what copies are published with.</summary>
    /// <exception cref="KafkaTopicException">One is not there and may not be created, or would not keep copies for as long as they wait.</exception>
    public async Task EnsureAsync(string source, int partitions, CancellationToken cancellationToken)
    {
        if (_transport.Mode is KafkaMode.Console)
        {
            return;
        }

        if (_ladder is not null)
        {
            await EnsureAsync(RetryNameFor(source), partitions, Retention, "wait until they are handled again", source, cancellationToken).ConfigureAwait(false);
        }

        await EnsureAsync(DeadLetterNameFor(source), partitions, TimeSpan.Zero, "go that cannot be handled", source, cancellationToken).ConfigureAwait(false);
        await _producer().WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Publishes a message's copy to the dead-letter topic of its source, byte for byte, with why it is there; completes when the broker has it.</summary>
    public async Task<SendResult> BuryAsync(Delivery failed, string source, Exception error, string group, int? retry)
    {
        for (var detail = FailureDetail.Stack; ; detail--)
        {
            var headers = detail is FailureDetail.None
                ? FailureHeaders.Application(failed.Headers ?? [], IsCopy(failed))
                : FailureHeaders.For(failed.Headers ?? [], IsCopy(failed), OriginOf(failed, group), retry, due: null, error, detail);
            if (await PublishAsync(DeadLetterNameFor(source), source, failed, headers, mayBeTooLarge: detail > FailureDetail.None).ConfigureAwait(false) is { } written)
            {
                return written;
            }
        }
    }

    /// <summary>Publishes a message's copy to the retry topic of its source; null where it is too large for that with the few headers that are needed.</summary>
    public async Task<SendResult?> RetryAsync(Delivery failed, string source, Departure departure, string group)
    {
        for (var detail = FailureDetail.Stack; detail >= FailureDetail.Origin; detail--)
        {
            var headers = FailureHeaders.For(failed.Headers ?? [], IsCopy(failed), OriginOf(failed, group), departure.Retry, departure.Due, departure.Error!, detail);
            if (await PublishAsync(RetryNameFor(source), source, failed, headers, mayBeTooLarge: true).ConfigureAwait(false) is { } written)
            {
                return written;
            }
        }

        return null;
    }

    /// <summary>Publishes a waiting copy again at the end of its retry topic, exactly as it is.</summary>
    public async Task<SendResult> HopAsync(Delivery waiting, string source) =>
        (await PublishAsync(RetryNameFor(source), source, waiting, waiting.Headers ?? [], mayBeTooLarge: false).ConfigureAwait(false))!.Value;

    /// <summary>Where a message came from at first: from here, or from where its copy says.</summary>
    public static FailureOrigin OriginOf(Delivery message, string group) =>
        (IsCopy(message) ? FailureHeaders.OriginOf(message.Headers ?? []) : null)
        ?? new FailureOrigin(message.Partition.Id.Topic, message.Partition.Id.Partition, message.Offset, message.Timestamp, group);

    // What waits for the longest delay is handled within a week after it, the usual time that a topic keeps.
    private TimeSpan Retention => _ladder!.MaxDelay + TimeSpan.FromDays(7);

    private static bool IsCopy(Delivery message) => message.Partition.Subscription.Settings.Retries is not null;

    // Null: too large, where that may be.
    private async Task<SendResult?> PublishAsync(string topic, string source, Delivery message, MessageHeaders headers, bool mayBeTooLarge)
    {
        if (!_partitions.TryGetValue(topic, out var count))
        {
            // A topic that a pattern found, before it was seen to.
            var sources = await _transport.Topics.DescribeAsync([source], CancellationToken.None).ConfigureAwait(false);
            await EnsureAsync(source, sources.GetValueOrDefault(source, message.Partition.Id.Partition + 1), CancellationToken.None).ConfigureAwait(false);
            count = _partitions[topic];
        }

        var producer = await _producer().ConfigureAwait(false);
        try
        {
            // Not with the assignment's token: a copy that is under way may be written whatever we do, so its answer is waited for.
            return await producer.SendCopyAsync(topic, message.Key, message.Value, headers, message.Partition.Id.Partition % count, CancellationToken.None).ConfigureAwait(false);
        }
        catch (KafkaSendException tooLarge) when (mayBeTooLarge && string.Equals(tooLarge.Reason, nameof(ErrorCode.MsgSizeTooLarge), StringComparison.Ordinal))
        {
            // What we add gives way, never what the application sent.
            return null;
        }
    }

    // A retention of zero stands for an unlimited one.
    private async Task EnsureAsync(string name, int partitions, TimeSpan retention, string purpose, string source, CancellationToken cancellationToken)
    {
        var milliseconds = retention == TimeSpan.Zero ? "-1" : FormattableString.Invariant($"{retention.TotalMilliseconds:0}");
        var found = await _transport.Topics.DescribeAsync([name], cancellationToken).ConfigureAwait(false);
        if (!found.TryGetValue(name, out var count))
        {
            if (!_creates)
            {
                throw new KafkaTopicException(
                    $"Topic '{name}', where messages of '{source}' {purpose}, does not exist. Create it with {partitions} partition(s) and {(retention == TimeSpan.Zero ? "unlimited retention" : "a retention longer than the longest delay")} (retention.ms={milliseconds}), or set TopicCreation to IfMissing.",
                    name);
            }

            // The embedded broker keeps no settings, and everything.
            var settings = _transport.Mode is KafkaMode.Embedded ? null : new Dictionary<string, string>(StringComparer.Ordinal) { ["retention.ms"] = milliseconds };
            count = partitions;
            await _transport.Topics.EnsureAsync([new TopicSpec(name, partitions, Settings: settings)], cancellationToken).ConfigureAwait(false);
        }

        _partitions[name] = count;
    }
}
