using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.KeyOrder;
using Narad.Kafka.Producing;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Failures;

/// <summary>
/// The retry topic and the dead-letter topic of a subscription. Creates or checks them before a message fails, and publishes the records of failed
/// messages. It never decides the outcome of a message, and never finishes an offset. Thread-safe.
/// </summary>
internal sealed class FailureTopics
{
    /// <summary>The suffix of a source topic's name that gives the retry topic, where no name is set.</summary>
    public const string RetrySuffix = TopicName.RetrySuffix;

    /// <summary>The suffix of a source topic's name that gives the dead-letter topic, where no name is set.</summary>
    public const string DeadLetterSuffix = TopicName.DeadLetterSuffix;

    // Added to the longest delay, so that a record is kept this long after it is due. Seven days is the default retention of Kafka.
    private static readonly TimeSpan BeyondLongestDelay = TimeSpan.FromDays(7);

    private const string CannotPublish = "publish:";

    // So that a record fits with all its headers wherever the message fits.
    private const int RoomForHeaders = 32 * 1024;

    private readonly RetryTopicPolicy? _topicPolicy;
    private readonly bool _pairs;       // each partition of a source has one of its retry topic
    private readonly string? _retryName;
    private readonly string? _deadLetterName;
    private readonly ITransport _transport;
    private readonly Func<Task<MessageProducer>> _producer;
    private readonly bool _creates;
    private readonly DeclaredTopics _declared;
    private readonly FailureDetail _most;   // that headers say of a failure
    private readonly ILogger _logger;
    private readonly StallCauses _causes;
    private readonly TimeProvider _time;
    private readonly TimeSpan _failureLasts;    // a failed record is tried again within this
    private readonly ConcurrentDictionary<string, bool> _sources = new(StringComparer.Ordinal);     // whose topics are known to be there
    private readonly ConcurrentDictionary<string, bool> _unknown = new(StringComparer.Ordinal);     // whose settings could not be looked at
    private readonly FailureTopicSettings _settings;
    // of retry and dead-letter topics that are known to be there
    private readonly ConcurrentDictionary<string, int> _partitions = new(StringComparer.Ordinal);

    public FailureTopics(RetryTopicPolicy? topicPolicy, bool pairs, string? deadLetterName, ITransport transport, KafkaOptions options,
        Func<Task<MessageProducer>> producer, StallCauses causes, TimeProvider time, ILogger logger)
    {
        _logger = logger;
        _settings = new FailureTopicSettings(logger);
        _causes = causes;
        _time = time;
        _failureLasts = options.SendTimeout + TimeSpan.FromMinutes(1);
        _pairs = pairs;
        _topicPolicy = topicPolicy;
        _deadLetterName = deadLetterName is null ? null : TopicName.Resolve(options, deadLetterName);
        _retryName = topicPolicy?.Topic is { } retryName ? TopicName.Resolve(options, retryName) : null;
        _transport = transport;
        _producer = producer;
        _creates = options.CreatesTopics(transport.Mode);
        _declared = new DeclaredTopics(options);
        _most = options.ExceptionTextInHeaders ? FailureDetail.Stack : FailureDetail.Type;
    }

    /// <summary>Null where no message is retried through a topic. The retry topic then contains only redriven messages.</summary>
    public RetryTopicPolicy? TopicPolicy => _topicPolicy;

    public string RetryNameFor(string source) => _retryName ?? source + RetrySuffix;

    public string DeadLetterNameFor(string source) => _deadLetterName ?? source + DeadLetterSuffix;

    /// <summary>Whether a topic that a pattern matched is a retry or dead-letter topic, and so not a source.</summary>
    public bool IsFailureTopic(string topic) =>
        topic.EndsWith(RetrySuffix, StringComparison.Ordinal)
        || (_deadLetterName is null ? topic.EndsWith(DeadLetterSuffix, StringComparison.Ordinal)
            : string.Equals(topic, _deadLetterName, StringComparison.Ordinal));

    /// <summary>Creates the retry and dead-letter topics of a source topic where the options allow it, and connects the producer for their records.</summary>
    /// <exception cref="KafkaTopicException">One is not there and may not be created, or would not keep records for as long as they wait.</exception>
    public async Task EnsureAsync(string source, int partitions, CancellationToken cancellationToken)
    {
        if (_transport.Mode is KafkaMode.Console)
        {
            return;
        }

        var largest = (await InspectAsync(source, cancellationToken).ConfigureAwait(false))?.MaxMessageBytes;
        if (_topicPolicy is { } topicPolicy)
        {
            var name = RetryNameFor(source);
            if (await FindOrCreateAsync(name, partitions, topicPolicy.MaxDelay + BeyondLongestDelay, largest, "wait until they are handled again", source,
                cancellationToken).ConfigureAwait(false) is { } retries)
            {
                ThrowIfForgetful(retries, topicPolicy.MaxDelay);
                _settings.CheckSize(retries, largest, source);
            }

            if (_pairs && _partitions[name] != partitions)
            {
                throw new KafkaTopicException(
                    $"Retry topic '{name}' has {_partitions[name]} partition(s) and '{source}' has {partitions}: to keep the order of a key "
                        + "(Retry.PreserveKeyOrder) they need as many. Give the smaller one as many as the other (kafka-topics --alter "
                        + "--partitions), or delete the retry topic when it is read to its end.",
                    name);
            }
        }

        var deadLetters = await FindOrCreateAsync(DeadLetterNameFor(source), partitions, retention: null, largest, "go that cannot be handled", source,
            cancellationToken).ConfigureAwait(false);
        if (deadLetters is not null)
        {
            _settings.CheckDeadLetters(deadLetters, source);
            _settings.CheckSize(deadLetters, largest, source);
        }

        _sources[source] = true;
        var producer = await _producer().WaitAsync(cancellationToken).ConfigureAwait(false);
        producer.Assure(DeadLetterNameFor(source));
        if (_topicPolicy is not null)
        {
            producer.Assure(RetryNameFor(source));
        }
    }

    /// <summary>
    /// Checks the retry and dead-letter topics of every source again, because their settings may change while they contain messages. Each problem is
    /// logged once, and again when it changes.
    /// </summary>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        if (_transport.Mode is not KafkaMode.Kafka)
        {
            return;
        }

        foreach (var source in _sources.Keys)
        {
            var largest = (await InspectAsync(source, cancellationToken).ConfigureAwait(false))?.MaxMessageBytes;
            if (_topicPolicy is { } topicPolicy && await InspectAsync(RetryNameFor(source), cancellationToken).ConfigureAwait(false) is { } retries)
            {
                _partitions[retries.Name] = retries.Partitions;
                RetryTopicRules.Check(retries, topicPolicy.MaxDelay, _causes, _logger);
                _settings.CheckSize(retries, largest, source);
            }

            if (await InspectAsync(DeadLetterNameFor(source), cancellationToken).ConfigureAwait(false) is { } deadLetters)
            {
                _partitions[deadLetters.Name] = deadLetters.Partitions;
                _settings.CheckDeadLetters(deadLetters, source);
                _settings.CheckSize(deadLetters, largest, source);
            }
        }
    }

    /// <summary>
    /// Creates a retry topic for redriven messages where the options allow it. The group itself may use no retry topic. Returns the number of partitions.
    /// </summary>
    /// <exception cref="KafkaTopicException">It is not there and may not be created.</exception>
    public async Task<int> EnsureRetryAsync(string name, string source, int partitions, CancellationToken cancellationToken)
    {
        var largest = (await InspectAsync(source, cancellationToken).ConfigureAwait(false))?.MaxMessageBytes;
        await FindOrCreateAsync(name, partitions, BeyondLongestDelay, largest, "are sent again", source, cancellationToken).ConfigureAwait(false);
        return _partitions[name];
    }

    /// <summary>
    /// Publishes a message's record to the dead-letter topic of its source: key and value byte for byte, with headers that describe the failure.
    /// Completes when the broker has acknowledged it.
    /// </summary>
    public async Task<SendResult> DeadLetterAsync(Delivery failed, string source, Exception error, string group, int? retry)
    {
        // In a transaction a refused record ends the transaction. The next transaction writes fewer details.
        for (var detail = (FailureDetail)Math.Max(0, (int)_most - (failed.TransactionState?.SizeRefusals ?? 0)); ; detail--)
        {
            var headers = detail is FailureDetail.None
                ? FailureHeaders.Application(failed.Headers ?? [], IsForwarded(failed))
                : FailureHeaders.For(failed.Headers ?? [], IsForwarded(failed), OriginOf(failed, group), retry, due: null, error, detail);
            if (await PublishAsync(DeadLetterNameFor(source), source, failed, headers, mayBeTooLarge: detail > FailureDetail.None)
                .ConfigureAwait(false) is { } written)
            {
                return written;
            }
        }
    }

    /// <summary>
    /// Publishes a message's record to the retry topic of its source; null where it is too large for that with the few headers that are needed.
    /// </summary>
    public async Task<SendResult?> RetryAsync(Delivery failed, string source, Forwarding forwarding, string group)
    {
        for (var detail = _most; detail >= FailureDetail.Origin; detail--)
        {
            var stamp = StampOf(failed);
            var headers = Sign(failed, stamp, FailureHeaders.For(
                failed.Headers ?? [], IsForwarded(failed), OriginOf(failed, group), forwarding.Retry, forwarding.Due, forwarding.Error, detail, stamp));
            if (await PublishAsync(RetryNameFor(source), source, failed, headers, mayBeTooLarge: true).ConfigureAwait(false) is { } written)
            {
                return written;
            }
        }

        return null;
    }

    /// <summary>Publishes the record of a message that waits behind its key's failed one; null where it is too large for that.</summary>
    public Task<SendResult?> ForwardBehindKeyAsync(Delivery waiting, string source, DateTimeOffset due, string group)
    {
        var stamp = StampOf(waiting);
        var headers = Sign(waiting, stamp, FailureHeaders.For(
            waiting.Headers ?? [], isRetryRecord: false, OriginOf(waiting, group), retry: 0, due, error: null, stamp: stamp));
        return PublishAsync(RetryNameFor(source), source, waiting, headers, mayBeTooLarge: true);
    }

    /// <summary>Publishes the record that says which records of a message's key are finished.</summary>
    public async Task MarkFinishedAsync(Delivery finished, string source, string group, FinishedRecords finishedRecords)
    {
        var producer = await _producer().ConfigureAwait(false);

        // The record carries no committed offset, and so no progress of the key: the message may have been redriven, out of its order.
        var stamp = finished.Partition.BlockedKeys!.StampFor(finished.Key) with { Committed = null, Finished = finishedRecords };
        var origin = finished.BlockedRecord is { IsStranger: true } ? new FailureOrigin(source, finished.Partition.Id.Partition, 0, 0, group)
            : OriginOf(finished, group);
        var headers = stamp.Seal.Sign(finished.Key, value: null, FailureHeaders.ForKeyCheckpoint(origin, stamp));
        await producer.ForwardAsync(RetryNameFor(source), finished.Key, value: null, headers, finished.Partition.Id.Partition, CancellationToken.None)
            .ConfigureAwait(false);
    }

    /// <summary>Publishes a key checkpoint, which says how far a key is handled.</summary>
    public async Task WriteKeyCheckpointAsync(KeyCheckpoint checkpoint, string source, int partition, string group)
    {
        var producer = await _producer().ConfigureAwait(false);
        var headers = checkpoint.Stamp.Seal.Sign(checkpoint.Key, value: null,
            FailureHeaders.ForKeyCheckpoint(new FailureOrigin(source, partition, checkpoint.Origin, checkpoint.Timestamp, group), checkpoint.Stamp));
        await producer.ForwardAsync(RetryNameFor(source), checkpoint.Key, value: null, headers, partition, CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Publishes a waiting record again at the end of its retry topic. Only the headers that name its writer change.</summary>
    public async Task<SendResult> RepublishAsync(Delivery waiting, string source)
    {
        var headers = StampOf(waiting) is { } stamp ? Sign(waiting, stamp, FailureHeaders.WithStamp(waiting.Headers ?? [], stamp)) : waiting.Headers ?? [];
        return (await PublishAsync(RetryNameFor(source), source, waiting, headers, mayBeTooLarge: false).ConfigureAwait(false))!.Value;
    }

    /// <summary>The first origin of a message: the origin in the headers of its record, else the message's own position.</summary>
    public static FailureOrigin OriginOf(Delivery message, string group) =>
        (IsForwarded(message) ? FailureHeaders.OriginOf(message.Headers ?? []) : null)
        ?? new FailureOrigin(message.Partition.Id.Topic, message.Partition.Id.Partition, message.Offset, message.Timestamp, group);

    // If this assignment knows no committed offset of the source partition, the stamp takes the one in the record's headers. Null where keys are not kept
    // in order. Null also for a record that no member of the group wrote: a signature would make other members trust it.
    private static WriterStamp? StampOf(Delivery message)
    {
        if (message is not { Key: { } key, Partition.BlockedKeys: { } blockedKeys }
            || (IsForwarded(message) && message.BlockedRecord is not { IsStranger: false }))
        {
            return null;
        }

        var stamp = blockedKeys.StampFor(key);
        return stamp.Committed is null && IsForwarded(message)
            ? stamp with { Committed = FailureHeaders.NumberOf(message.Headers ?? [], FailureHeaders.Committed) } : stamp;
    }

    // Last: the signature is over all headers.
    private static MessageHeaders Sign(Delivery message, WriterStamp? stamp, MessageHeaders headers) => stamp is { } mine
        ? mine.Seal.Sign(message.Key, message.Value, headers) : headers;

    private static bool IsForwarded(Delivery message) => message.Partition.Subscription.Settings.Retries is not null;

    // A message holds its key until its record is written. Health reports the cause meanwhile.
    private async Task<SendResult?> PublishAsync(string topic, string source, Delivery message, MessageHeaders headers, bool mayBeTooLarge)
    {
        var started = _time.GetTimestamp();
        try
        {
            var written = await PublishOnceAsync(topic, source, message, headers, mayBeTooLarge).ConfigureAwait(false);
            _causes.Remove(CannotPublish + topic);
            return written;
        }
        catch (Exception error)
        {
            _causes.Add(CannotPublish + topic, $"failed messages of '{source}' cannot be moved to '{topic}', and hold their keys: {error.Message}",
                _failureLasts, started);
            throw;
        }
    }

    // Null: too large, where that may be.
    private async Task<SendResult?> PublishOnceAsync(string topic, string source, Delivery message, MessageHeaders headers, bool mayBeTooLarge)
    {
        if (!_partitions.TryGetValue(topic, out var count))
        {
            // A pattern matched the topic, and its retry and dead-letter topics are not checked yet.
            var sources = await _transport.Topics.GetPartitionCountsAsync([source], CancellationToken.None).ConfigureAwait(false);
            await EnsureAsync(source, sources.GetValueOrDefault(source, message.Partition.Id.Partition + 1), CancellationToken.None).ConfigureAwait(false);
            count = _partitions[topic];
        }

        if (_pairs && message.Partition.Id.Partition >= count && string.Equals(topic, RetryNameFor(source), StringComparison.Ordinal))
        {
            count = await GrownAsync(topic, message.Partition.Id).ConfigureAwait(false);
        }

        if (message.TransactionEntry is { } entry)
        {
            try
            {
                return await entry.ForwardAsync(topic, message.Key, message.Value, headers, message.Partition.Id.Partition % count).ConfigureAwait(false);
            }
            catch (KafkaSendException refused) when (refused.IsTooLarge)
            {
                message.TransactionState!.SizeRefusals++;
                throw;
            }
        }

        var producer = await _producer().ConfigureAwait(false);
        try
        {
            // Without the assignment's token: the broker may write a record that is under way in any case, so the answer is awaited.
            return await producer.ForwardAsync(topic, message.Key, message.Value, headers, message.Partition.Id.Partition % count, CancellationToken.None)
                .ConfigureAwait(false);
        }
        catch (KafkaSendException refused) when (mayBeTooLarge && refused.IsTooLarge)
        {
            // The caller leaves out headers of ours, never those of the application.
            return null;
        }
    }

    // Where keys are kept in order, a record waits in the retry partition with the number of its source partition. That retry partition exists: otherwise the
    // source partition would not be read.
    private async Task<int> GrownAsync(string topic, TopicPartitionId partition)
    {
        var found = await _transport.Topics.GetPartitionCountsAsync([topic], CancellationToken.None).ConfigureAwait(false);
        if (!found.TryGetValue(topic, out var count) || count <= partition.Partition)
        {
            throw new KafkaTopicException($"Retry topic '{topic}' has no partition {partition.Partition} for what fails in {partition}: add it "
                + $"(kafka-topics --alter --topic {topic} --partitions {partition.Partition + 1}).", topic);
        }

        return _partitions[topic] = count;
    }

    // Returns null where the topic was created, or where its settings cannot be read.
    private async Task<TopicDetails?> FindOrCreateAsync(string name, int partitions, TimeSpan? retention, int? largest, string purpose, string source,
        CancellationToken cancellationToken)
    {
        var found = await _transport.Topics.GetPartitionCountsAsync([name], cancellationToken).ConfigureAwait(false);
        if (found.TryGetValue(name, out var count))
        {
            _partitions[name] = count;
            return await InspectAsync(name, cancellationToken).ConfigureAwait(false);
        }

        var milliseconds = TopicSettings.RetentionText(retention);
        if (!_creates && !_declared.Contains(source))
        {
            throw new KafkaTopicException(
                $"Topic '{name}', where messages of '{source}' {purpose}, does not exist. Create it with {partitions} partition(s) and "
                    + $"{(retention is null ? "unlimited retention" : "a retention longer than the longest delay")} (retention.ms={milliseconds}), or "
                    + "set TopicCreation to IfMissing, or declare the topics (AddTopic).",
                name);
        }

        Dictionary<string, string>? settings = null;
        if (_transport.Mode is not KafkaMode.Embedded)   // which keeps no settings, and everything
        {
            settings = new Dictionary<string, string>(StringComparer.Ordinal) { [TopicSettings.Retention] = milliseconds, [TopicSettings.CleanupPolicy] =
                "delete" };
            if (largest is { } bytes)
            {
                settings[TopicSettings.MaxMessageBytes] = Math.Min((long)bytes + RoomForHeaders, int.MaxValue).ToString(CultureInfo.InvariantCulture);
            }
        }

        await _transport.Topics.CreateIfNotExistsAsync([new TopicSpec(name, partitions, Settings: settings)], cancellationToken).ConfigureAwait(false);
        _partitions[name] = partitions;
        return null;
    }

    // Reading settings needs a right of its own. Without it the subscription starts and works all the same; a log event says so once.
    private async Task<TopicDetails?> InspectAsync(string topic, CancellationToken cancellationToken)
    {
        try
        {
            var found = await _transport.Topics.GetDetailsAsync(topic, cancellationToken).ConfigureAwait(false);
            _unknown.TryRemove(topic, out _);
            return found;
        }
        catch (Exception error) when (error is KafkaTopicException or NotSupportedException)
        {
            if (_unknown.TryAdd(topic, true))
            {
                TopicsLog.SettingsUnknown(_logger, error, topic);
            }

            return null;
        }
    }

    // Retention deletes a waiting record without notice, so the retention must be longer than the longest delay.
    private static void ThrowIfForgetful(TopicDetails retries, TimeSpan maxDelay)
    {
        if (RetryTopicRules.Forgets(retries, maxDelay) is { } fault)
        {
            throw new KafkaTopicException(fault, retries.Name);
        }
    }
}
