using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Producing;
using Narad.Kafka.Serialization;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Failures;

/// <summary>
/// The dead letters of a cluster, before and after connecting: connects the transport where that has not been done. Thread-safe: each call has a reader of
/// its own.
/// </summary>
internal sealed class KafkaDeadLetters : IDeadLetters
{
    private const int LargestPage = 10_000;
    private const int MostPageBytes = 16 * 1024 * 1024;
    private const int LargestBatch = 10_000;

    private static readonly DeadLetterFilter Everything = new();

    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly Func<CancellationToken, Task<ITransport>> _connect;
    private readonly Func<string, string> _realName;
    private readonly Func<Task<MessageProducer>> _producer;
    private readonly KnownFailureTopics _known;
    private readonly MessageDecoder _decoder;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<string, string> _running = new(StringComparer.Ordinal);   // redrives under way, by group

    public KafkaDeadLetters(
        KafkaOptions options,
        KafkaDiagnostics diagnostics,
        Func<CancellationToken, Task<ITransport>> connect,
        Func<string, string> realName,
        Func<Task<MessageProducer>> producer,
        KnownFailureTopics known)
    {
        _known = known;
        _options = options;
        _diagnostics = diagnostics;
        _connect = connect;
        _realName = realName;
        _producer = producer;
        _decoder = new MessageDecoder(options);
        _logger = diagnostics.Logger<KafkaDeadLetters>();
    }

    public IAsyncEnumerable<DeadLetter> BrowseAsync(string deadLetterTopic, DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        var topic = _realName(deadLetterTopic);
        filter = Real(filter, nameof(filter));
        return BrowseCoreAsync(topic, filter ?? Everything, cancellationToken);
    }

    public async Task<DeadLetterPage> GetPageAsync(string deadLetterTopic, DeadLetterFilter? filter = null, int size = 100, string? after = null,
        CancellationToken cancellationToken = default)
    {
        var topic = _realName(deadLetterTopic);
        filter = Real(filter, nameof(filter));
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, LargestPage);
        var positions = after is null ? [] : Positions(topic, after);
        if (await OpenAsync(topic, cancellationToken).ConfigureAwait(false) is not { } opened)
        {
            return new DeadLetterPage([], Continuation: null, new Dictionary<TopicPartitionId, long>());
        }

        var reader = opened.Reader;
        await using var readerDisposal = reader.ConfigureAwait(false);
        var items = new List<DeadLetter>();
        var bytes = 0;
        bool IsFull() => items.Count >= size || bytes >= MostPageBytes;
        foreach (var span in opened.Spans)
        {
            // A position beyond the end is of another topic of this name.
            var position = positions.TryGetValue(span.Partition, out var seen) && seen <= span.End ? Math.Max(seen, span.Start) : span.Start;
            if (!IsFull())
            {
                var ended = true;
                await foreach (var letter in reader.ReadAsync(span with { Start = position }, cancellationToken).ConfigureAwait(false))
                {
                    position = letter.Position.Offset + 1;
                    if (filter?.Matches(letter) is false)
                    {
                        continue;
                    }

                    items.Add(letter);
                    bytes += letter.RawValue?.Length ?? 0;
                    if (IsFull())
                    {
                        ended = false;
                        break;
                    }
                }

                position = ended ? span.End : position;
            }

            positions[span.Partition] = position;
        }

        var more = opened.Spans.Any(span => positions[span.Partition] < span.End);
        return new DeadLetterPage(items, more ? Continuation(topic, positions) : null,
            positions.ToDictionary(position => new TopicPartitionId(topic, position.Key), position => position.Value));
    }

    public async Task<long> CountAsync(string deadLetterTopic, DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        var topic = _realName(deadLetterTopic);
        filter = Real(filter, nameof(filter));
        if (filter is null || filter == Everything)
        {
            return (await SpansAsync(topic, cancellationToken).ConfigureAwait(false)).Spans.Sum(span => span.Length);
        }

        long count = 0;
        await foreach (var letter in BrowseCoreAsync(topic, filter, cancellationToken).ConfigureAwait(false))
        {
            count++;
        }

        return count;
    }

    public async Task<DeadLetter?> GetAsync(TopicPartitionOffsetId position, CancellationToken cancellationToken = default)
    {
        var topic = _realName(position.Topic);
        ArgumentOutOfRangeException.ThrowIfNegative(position.Partition, nameof(position));
        ArgumentOutOfRangeException.ThrowIfNegative(position.Offset, nameof(position));
        if (await OpenAsync(topic, cancellationToken).ConfigureAwait(false) is not { } opened)
        {
            return null;
        }

        var reader = opened.Reader;
        await using var readerDisposal = reader.ConfigureAwait(false);
        foreach (var span in opened.Spans)
        {
            if (span.Partition == position.Partition && position.Offset >= span.Start && position.Offset < span.End)
            {
                await foreach (var letter in reader.ReadAsync(new PartitionSpan(span.Partition, position.Offset, position.Offset + 1), cancellationToken)
                    .ConfigureAwait(false))
                {
                    return letter;
                }
            }
        }

        return null;
    }

    public async Task<RedriveReport> RedriveAsync(string deadLetterTopic, RedriveOptions? options = null, IProgress<RedriveProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var topic = _realName(deadLetterTopic);
        options = Real(options ?? new RedriveOptions());
        var group = $"{topic}-redrive-{options.Name ?? NameOf(options)}";
        GroupName.Validate(group, nameof(options));
        if (!_running.TryAdd(group, group))
        {
            throw new InvalidOperationException($"A redrive of {topic} runs under the same name in this process (progress in group '{group}'): wait "
                + "for it, or give this one a Name of its own.");
        }

        try
        {
            if (await OpenAsync(topic, cancellationToken).ConfigureAwait(false) is not { } opened)
            {
                throw NotInConsole("sent again");
            }

            var reader = opened.Reader;
            await using var readerDisposal = reader.ConfigureAwait(false);
            var redriver = new Redriver(topic, options, _known, TopicsOf(opened.Transport), opened.Transport, _options, _diagnostics.Time);
            var run = new RedriveRun(topic, group, options, redriver, _producer, opened.Transport, _diagnostics.Time, _logger, progress);
            return await run.RunAsync(opened.Spans, reader, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _running.TryRemove(group, out _);
        }
    }

    public async Task<SendResult> RedriveAsync(DeadLetter deadLetter, RedriveTarget target = RedriveTarget.Group, string? retryTopic = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(deadLetter);
        var options = Real(new RedriveOptions { Target = target, RetryTopic = retryTopic });
        var transport = await _connect(cancellationToken).ConfigureAwait(false);
        if (transport.Mode is KafkaMode.Console)
        {
            throw NotInConsole("sent again");
        }

        var redriver = new Redriver(deadLetter.Position.Topic, options, _known, TopicsOf(transport), transport, _options, _diagnostics.Time);
        var (route, _, explanation) = await redriver.RouteAsync(deadLetter, cancellationToken).ConfigureAwait(false);
        if (route is not { } way)
        {
            throw new InvalidOperationException($"Dead letter {deadLetter} cannot be sent again: {explanation}.");
        }

        var producer = await _producer().WaitAsync(cancellationToken).ConfigureAwait(false);
        var written = await redriver.SendAsync(producer, deadLetter, way, cancellationToken).ConfigureAwait(false)
            ?? throw new InvalidOperationException($"Dead letter {deadLetter} cannot be sent again: with the headers that its new record needs it is "
                + $"larger than {way.Topic} takes.");
        DeadLettersLog.Redriven(_logger, deadLetter, written.Topic, written.Partition);
        return written;
    }

    public async Task<long> DeleteAsync(string deadLetterTopic, IReadOnlyDictionary<TopicPartitionId, long> before, bool anyTopic = false,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(before);
        var topic = _realName(deadLetterTopic);
        CheckMayBeDeleted(topic, anyTopic);
        foreach (var (partition, offset) in before)
        {
            if (offset < 0 || partition.Partition < 0 || !string.Equals(_realName(partition.Topic), topic, StringComparison.Ordinal))
            {
                throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{partition}@{offset} is no offset of {topic}."), nameof(before));
            }
        }

        var (transport, spans) = await SpansAsync(topic, cancellationToken).ConfigureAwait(false);
        var records = transport.Records ?? throw NotInConsole("deleted");
        var wanted = new Dictionary<int, long>();
        foreach (var (partition, offset) in before)
        {
            if (partition.Partition >= spans.Count || offset > spans[partition.Partition].End)
            {
                throw new KafkaTopicException(string.Create(CultureInfo.InvariantCulture, $"Nothing was deleted: {partition} has no offset {offset}."), topic);
            }

            wanted[partition.Partition] = offset;
        }

        return await DeleteBeforeAsync(records, topic, spans, wanted, cancellationToken).ConfigureAwait(false);
    }

    public async Task<long> DeleteAllAsync(string deadLetterTopic, bool anyTopic = false, CancellationToken cancellationToken = default)
    {
        var topic = _realName(deadLetterTopic);
        CheckMayBeDeleted(topic, anyTopic);
        var (transport, spans) = await SpansAsync(topic, cancellationToken).ConfigureAwait(false);
        var records = transport.Records ?? throw NotInConsole("deleted");
        return await DeleteBeforeAsync(records, topic, spans, spans.ToDictionary(span => span.Partition, span => span.End), cancellationToken)
            .ConfigureAwait(false);
    }

    private async IAsyncEnumerable<DeadLetter> BrowseCoreAsync(
        string topic, DeadLetterFilter filter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (await OpenAsync(topic, cancellationToken).ConfigureAwait(false) is not { } opened)
        {
            yield break;
        }

        var reader = opened.Reader;
        await using var readerDisposal = reader.ConfigureAwait(false);
        foreach (var span in opened.Spans)
        {
            await foreach (var letter in reader.ReadAsync(span, cancellationToken).ConfigureAwait(false))
            {
                if (filter.Matches(letter))
                {
                    yield return letter;
                }
            }
        }
    }

    // Null in Console, where there is nothing to read.
    private async Task<Opened?> OpenAsync(string topic, CancellationToken cancellationToken)
    {
        var (transport, spans) = await SpansAsync(topic, cancellationToken).ConfigureAwait(false);
        return transport.Mode is KafkaMode.Console ? null : new Opened(
            transport, spans, new DeadLetterReader(topic, transport, _options, _decoder, _diagnostics));
    }

    private async Task<(ITransport Transport, IReadOnlyList<PartitionSpan> Spans)> SpansAsync(string topic, CancellationToken cancellationToken)
    {
        var transport = await _connect(cancellationToken).ConfigureAwait(false);
        if (transport.Records is not { } records)
        {
            return (transport, []);
        }

        var found = await transport.Topics.GetPartitionCountsAsync([topic], cancellationToken).ConfigureAwait(false);
        return found.TryGetValue(topic, out var partitions)
            ? (transport, await records.SpansAsync(topic, partitions, cancellationToken).ConfigureAwait(false))
            : throw new KafkaTopicException($"Topic {topic} does not exist: there are no dead letters to look at.", topic);
    }

    private async Task<long> DeleteBeforeAsync(TopicRecords records, string topic, IReadOnlyList<PartitionSpan> spans, Dictionary<int, long> before,
        CancellationToken cancellationToken)
    {
        var wanted = before.Where(offset => offset.Value > spans[offset.Key].Start).ToDictionary();
        var count = wanted.Sum(offset => offset.Value - spans[offset.Key].Start);
        if (count > 0)
        {
            await records.DeleteBeforeAsync(topic, wanted, cancellationToken).ConfigureAwait(false);
            DeadLettersLog.Deleted(_logger, topic, count);
        }

        return count;
    }

    private void CheckMayBeDeleted(string topic, bool anyTopic)
    {
        if (!anyTopic && !_known.IsDeadLetterTopic(topic))
        {
            throw new ArgumentException($"{topic} may hold more than dead letters: its name does not end in {FailureTopics.DeadLetterSuffix}, and no "
                + "subscription of this service sends its dead letters there. Where it is right all the same, say so: anyTopic: true.", nameof(anyTopic));
        }
    }

    private FailureTopics TopicsOf(ITransport transport) => new(
        topicPolicy: null, pairs: false, deadLetterName: null, transport, _options, _producer, new StallCauses(_diagnostics.Time), _diagnostics.Time,
        _diagnostics.Logger<FailureTopics>());

    private static NotSupportedException NotInConsole(string what) => new($"There are no dead letters in Console mode, so none can be {what}.");

    private static void Validate(RedriveOptions options)
    {
        if (options.BatchSize is < 1 or > LargestBatch)
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.BatchSize, "RedriveOptions.BatchSize is 1 to 10,000.");
        }

        if (options.MaxPerSecond is { } rate && !(rate > 0.001))
        {
            throw new ArgumentOutOfRangeException(nameof(options), rate, "RedriveOptions.MaxPerSecond is more than 0.001, or null for no limit.");
        }

        if (!Enum.IsDefined(options.Target))
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.Target, "Not a RedriveTarget.");
        }

        if (options.RetryTopic is not null)
        {
            TopicName.Validate(options.RetryTopic, nameof(options));
            if (options.Target is not RedriveTarget.Group)
            {
                throw new ArgumentException("RedriveOptions.RetryTopic is for RedriveTarget.Group: every group reads the topic that a message came "
                    + "from.", nameof(options));
            }
        }

        if (options.Filter is { Where: not null } && options.Name is null)
        {
            throw new ArgumentException("A redrive whose filter has a delegate needs RedriveOptions.Name: nothing else tells its progress from "
                + "another's.", nameof(options));
        }

        foreach (var source in options.SourceTopics)
        {
            TopicName.Validate(source, nameof(options));
        }

        options.Filter?.Validate(nameof(options));
    }

    // Checked, with the real names of its topics.
    private RedriveOptions Real(RedriveOptions options)
    {
        Validate(options);
        return options with
        {
            RetryTopic = options.RetryTopic is { } retries ? _realName(retries) : null,
            SourceTopics = [.. options.SourceTopics.Select(_realName)],
            Filter = Real(options.Filter, nameof(options)),
        };
    }

    private DeadLetterFilter? Real(DeadLetterFilter? filter, string parameter)
    {
        filter?.Validate(parameter);
        return filter is { SourceTopic: { } source } ? filter with { SourceTopic = _realName(source) } : filter;
    }

    private static string NameOf(RedriveOptions options)
    {
        var name = new StringBuilder(options.Target is RedriveTarget.EveryGroup ? "every-group" : "group");
        if (options.RetryTopic is { } retryTopic)
        {
            name.Append("-via-").Append(retryTopic);
        }

        return options.Filter?.Fingerprint() is { } fingerprint ? name.Append('-').Append(fingerprint).ToString() : name.ToString();
    }

    private static string Continuation(string topic, SortedDictionary<int, long> positions) =>
        $"{topic}@{string.Join(',', positions.Select(position => string.Create(CultureInfo.InvariantCulture, $"{position.Key}:{position.Value}")))}";

    private static SortedDictionary<int, long> Positions(string topic, string continuation)
    {
        var positions = new SortedDictionary<int, long>();
        var at = continuation.IndexOf('@', StringComparison.Ordinal);
        var legal = at >= 0 && continuation.AsSpan(0, at).SequenceEqual(topic);
        foreach (var part in legal ? continuation[(at + 1)..].Split(',') : [])
        {
            legal &= part.Split(':') is [var partition, var offset]
                && int.TryParse(partition, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && long.TryParse(offset, NumberStyles.None, CultureInfo.InvariantCulture, out var position)
                && positions.TryAdd(number, position);
        }

        return legal ? positions : throw new ArgumentException(
            $"This is no continuation of a page of {topic}: give DeadLetterPage.Continuation as it was.", "after");
    }

    private sealed record Opened(ITransport Transport, IReadOnlyList<PartitionSpan> Spans, DeadLetterReader Reader);
}
