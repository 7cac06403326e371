using System.Collections.Concurrent;
using Confluent.Kafka;
using Narad.Kafka.Consuming;
using Narad.Kafka.Producing;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Failures;

/// <summary>
/// Where a subscription's dead letters go: sees to it that the topic is there before anything fails, and publishes the copies. It never decides what is a dead
/// letter, and never finishes an offset. Thread-safe.
/// </summary>
internal sealed class DeadLetterTopics
{
    /// <summary>What a source topic's name gets where no name was given.</summary>
    public const string Suffix = "-dlt";

    private readonly string? _name;
    private readonly ITransport _transport;
    private readonly Func<Task<MessageProducer>> _producer;
    private readonly bool _creates;
    private readonly ConcurrentDictionary<string, int> _partitions = new(StringComparer.Ordinal);   // of dead-letter topics that are known to be there

    public DeadLetterTopics(string? name, ITransport transport, KafkaOptions options, Func<Task<MessageProducer>> producer)
    {
        _name = name;
        _transport = transport;
        _producer = producer;
        _creates = options.CreatesTopics(transport.Mode);
    }

    public string NameFor(string source) => _name ?? source + Suffix;

    /// <summary>Creates the dead-letter topic of a source topic where that is wanted; connects what copies are published with.</summary>
    /// <exception cref="KafkaTopicException">It is not there, and may not be created.</exception>
    public async Task EnsureAsync(string source, int partitions, CancellationToken cancellationToken)
    {
        if (_transport.Mode is KafkaMode.Console)
        {
            return;
        }

        var name = NameFor(source);
        var found = await _transport.Topics.DescribeAsync([name], cancellationToken).ConfigureAwait(false);
        if (!found.TryGetValue(name, out var count))
        {
            if (!_creates)
            {
                throw new KafkaTopicException(
                    $"Topic '{name}', where messages of '{source}' go that cannot be handled, does not exist. Create it with {partitions} partition(s) and unlimited retention (retention.ms=-1), or set TopicCreation to IfMissing.",
                    name);
            }

            // The embedded broker keeps no settings, and everything.
            var settings = _transport.Mode is KafkaMode.Embedded ? null : new Dictionary<string, string>(StringComparer.Ordinal) { ["retention.ms"] = "-1" };
            count = partitions;
            await _transport.Topics.EnsureAsync([new TopicSpec(name, partitions, Settings: settings)], cancellationToken).ConfigureAwait(false);
        }

        _partitions[source] = count;
        await _producer().WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Publishes a message's copy, byte for byte, with why it is there; completes when the broker has it.</summary>
    public async Task<SendResult> PublishAsync(Delivery failed, Exception error, string group, CancellationToken cancellationToken)
    {
        var id = failed.Partition.Id;
        if (!_partitions.TryGetValue(id.Topic, out var count))
        {
            // A topic that a pattern found.
            var sources = await _transport.Topics.DescribeAsync([id.Topic], cancellationToken).ConfigureAwait(false);
            await EnsureAsync(id.Topic, sources.GetValueOrDefault(id.Topic, id.Partition + 1), cancellationToken).ConfigureAwait(false);
            count = _partitions[id.Topic];
        }

        var producer = await _producer().ConfigureAwait(false);
        var origin = new FailureOrigin(id.Topic, id.Partition, failed.Offset, failed.Timestamp, group);
        for (var detail = FailureDetail.Stack; ; detail--)
        {
            var headers = FailureHeaders.For(failed.Headers ?? [], isCopy: false, origin, retry: null, due: null, error, detail);
            try
            {
                return await producer.SendCopyAsync(NameFor(id.Topic), failed.Key, failed.Value, headers, id.Partition % count, cancellationToken).ConfigureAwait(false);
            }
            catch (KafkaSendException tooLarge) when (detail > FailureDetail.None && string.Equals(tooLarge.Reason, nameof(ErrorCode.MsgSizeTooLarge), StringComparison.Ordinal))
            {
                // What we add gives way, never what the application sent.
            }
        }
    }
}
