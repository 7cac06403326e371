using System.Globalization;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Producing;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Failures;

/// <summary>
/// Finds out where a dead letter goes when it is sent again, and sends it there. What its headers say was written by whoever may write to the dead-letter
/// topic: it goes back to the source of
/// this dead-letter topic, or to a topic that the caller named, and none is created but a retry topic. Not thread-safe: one redrive's own.
/// </summary>
internal sealed class Redriver(string deadLetterTopic, RedriveOptions redrive, KnownFailureTopics known, FailureTopics topics, ITransport transport,
    KafkaOptions options, TimeProvider time)
{
    private const int MostTopicsKnown = 1_000;

    private readonly Dictionary<string, int> _partitions = new(StringComparer.Ordinal);   // by topic; 0 for one that does not exist

    /// <summary>The route of a dead letter, or why there is none.</summary>
    /// <exception cref="KafkaTopicException">No broker answered, or its retry topic cannot be created.</exception>
    public Task<RedriveDecision> RouteAsync(DeadLetter letter, CancellationToken cancellationToken) =>
        redrive.Target is RedriveTarget.EveryGroup ? RouteToEveryGroupAsync(letter, cancellationToken) : RouteToGroupAsync(letter, cancellationToken);

    private async Task<RedriveDecision> RouteToEveryGroupAsync(DeadLetter letter, CancellationToken cancellationToken)
    {
        if (letter.SourceTopic is not { } source)
        {
            return RedriveDecision.No(SkippedReason.NoOrigin, $"it does not say which topic it came from ({FailureHeaders.Topic})");
        }

        if (!MayBeWritten(source))
        {
            return NoTopic(source);
        }

        if (known.IsFailureTopic(source) && !IsAllowed(source))
        {
            return RedriveDecision.No(SkippedReason.NotAllowed, $"it names '{ForeignText.Name(source)}' as its source, which holds retry records or dead "
                + $"letters ({FailureHeaders.Topic})");
        }

        if (!IsOwn(source))
        {
            return NotAllowed(source);
        }

        return await PartitionsAsync(source, cancellationToken).ConfigureAwait(false) is > 0 and var count
            ? RedriveDecision.To(new RedriveRoute(source, (letter.SourcePartition ?? letter.Position.Partition) % count, Origin: null))
            : NoTopic(source);
    }

    private async Task<RedriveDecision> RouteToGroupAsync(DeadLetter letter, CancellationToken cancellationToken)
    {
        if (FailureHeaders.OriginOf(letter.Headers) is not { } origin || GroupName.Error(origin.Group) is not null)
        {
            return RedriveDecision.No(SkippedReason.NoOrigin, $"it does not say completely where it came from and which group could not handle it "
                + $"({FailureHeaders.Topic}, -partition, -offset, -timestamp, -group)");
        }

        // A record that a group adopted was in its retry topic at first: it goes back there, not to a retry topic of that.
        var source = IsOwn(origin.Topic) ? origin.Topic : known.SourceOf(origin.Topic);
        if (!MayBeWritten(source))
        {
            return NoTopic(source);
        }

        if (!IsOwn(source))
        {
            return NotAllowed(origin.Topic);
        }

        var retry = redrive.RetryTopic ?? known.RetryTopicOf(origin.Group, source) ?? source + FailureTopics.RetrySuffix;
        if (!MayBeWritten(retry))
        {
            return NoTopic(retry);
        }

        return await RetryPartitionsAsync(retry, source, cancellationToken).ConfigureAwait(false) switch
        {
            null => NoTopic(source),
            0 => RedriveDecision.No(
                SkippedReason.NoRetryTopic,
                $"retry topic '{retry}' does not exist. Create it with {_partitions[source]} partition(s), or set TopicCreation to IfMissing, and redrive "
                    + $"from the start (RedriveOptions.FromStart)"),
            { } partitions => RedriveDecision.To(new RedriveRoute(retry, origin.Partition % partitions, origin)),
        };
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

        ValueTask<SendResult> SendAsync(string? audit) => producer.ForwardAsync(
            route.Topic,
            letter.Key.WireBytes,
            letter.RawValue,
            route.Origin is { } origin ? FailureHeaders.ForRedrive(letter.Headers, origin, audit, now, redrive.HandleAgain)
                : FailureHeaders.ForEveryGroup(letter.Headers, audit, redrive.HandleAgain),
            route.Partition,
            cancellationToken);
    }

    private static RedriveDecision NoTopic(string topic) =>
        RedriveDecision.No(SkippedReason.NoTopic, $"topic '{ForeignText.Name(topic)}', which it names, does not exist or may not be written to "
            + $"({FailureHeaders.Topic})");

    private RedriveDecision NotAllowed(string topic) => RedriveDecision.No(
        SkippedReason.NotAllowed,
        $"it names '{ForeignText.Name(topic)}', whose dead letters do not go to '{deadLetterTopic}' ({FailureHeaders.Topic}). If that is right, name the "
            + $"topic in RedriveOptions.SourceTopics");

    private bool IsAllowed(string source) => redrive.SourceTopics.Contains(source, StringComparer.Ordinal);

    private bool IsOwn(string source) => IsAllowed(source) || known.IsSourceOf(source, deadLetterTopic);

    private bool MayBeWritten(string topic) =>
        TopicName.IsLegal(topic) && !topic.StartsWith("__", StringComparison.Ordinal) && !string.Equals(topic, deadLetterTopic, StringComparison.Ordinal);

    // Null: the source does not exist either. 0: the retry topic does not, and may not be created.
    private async Task<int?> RetryPartitionsAsync(string retry, string source, CancellationToken cancellationToken)
    {
        if (await PartitionsAsync(retry, cancellationToken).ConfigureAwait(false) is > 0 and var found)
        {
            return found;
        }

        if (await PartitionsAsync(source, cancellationToken).ConfigureAwait(false) is not (> 0 and var wanted))
        {
            return null;
        }

        if (!options.CreatesTopics(transport.Mode) && !new DeclaredTopics(options).Contains(source))
        {
            return 0;
        }

        // A dry run creates nothing.
        return _partitions[retry] = redrive.DryRun ? wanted : await topics.EnsureRetryAsync(retry, source, wanted, cancellationToken).ConfigureAwait(false);
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

        var found = await transport.Topics.GetPartitionCountsAsync([topic], cancellationToken).ConfigureAwait(false);
        return _partitions[topic] = found.GetValueOrDefault(topic);
    }
}
