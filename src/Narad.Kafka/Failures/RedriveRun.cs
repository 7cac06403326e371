using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Producing;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Failures;

/// <summary>
/// One redrive, from where its progress stands to the ends as they were when it began. It notes an offset only when everything before it was acknowledged, left
/// out by the filter, or passed over; and only where nobody else has moved its progress meanwhile.
/// </summary>
/// <remarks>Single-threaded: one caller, once.</remarks>
internal sealed class RedriveRun(
    string topic, string group, RedriveOptions options, Redriver redriver, Func<Task<MessageProducer>> connect, ITransport transport, TimeProvider time,
        ILogger logger, IProgress<RedriveProgress>? listener)
{
    private const int MostListed = 100;

    private readonly Dictionary<int, long> _noted = [];       // the progress as the broker has it; a partition without any is left out
    private readonly Dictionary<TopicPartitionId, long> _positions = [];
    private readonly Dictionary<SkippedReason, long> _passedOver = [];
    private readonly List<SkippedDeadLetter> _firstPassedOver = [];
    private readonly List<(DeadLetter Letter, Task<SendResult?> Sending)> _batch = [];
    private MessageProducer? _producer;
    private long _sent;
    private long _notMatching;
    private long _remaining;
    private bool _isTaken;    // somebody else moves the progress
    private long _nextSend;   // timestamp before which nothing more is sent

    /// <summary>Runs to the end, or throws with what was acknowledged noted.</summary>
    public async Task<RedriveReport> RunAsync(IReadOnlyList<PartitionSpan> spans, DeadLetterReader reader, CancellationToken cancellationToken)
    {
        var ahead = await BeginAsync(spans, cancellationToken).ConfigureAwait(false);
        _remaining = ahead.Sum(span => span.Length);
        DeadLettersLog.Began(logger, topic, options.Target, _remaining, group);
        foreach (var span in ahead)
        {
            await GoThroughAsync(span, reader, cancellationToken).ConfigureAwait(false);
        }

        DeadLettersLog.Ended(logger, topic, _sent, _notMatching, _passedOver.Values.Sum());
        return new RedriveReport(_sent, _notMatching, _passedOver, _positions, group) { FirstSkipped = _firstPassedOver };
    }

    private async Task<List<PartitionSpan>> BeginAsync(IReadOnlyList<PartitionSpan> spans, CancellationToken cancellationToken)
    {
        foreach (var (partition, offset) in await transport.Topics.GetCommittedOffsetsAsync(group, topic, cancellationToken).ConfigureAwait(false))
        {
            _noted[partition.Partition] = offset;
        }

        if (options.FromStart && !options.DryRun && _noted.Count > 0)
        {
            // Before anything is sent: else one that crashed would continue where the one before it had ended.
            await NoteAsync(spans.ToDictionary(span => span.Partition, span => span.Start), cancellationToken).ConfigureAwait(false);
        }

        var ahead = new List<PartitionSpan>(spans.Count);
        foreach (var span in spans)
        {
            // Progress beyond the end is of another topic of this name.
            var goesOn = !options.FromStart && _noted.TryGetValue(span.Partition, out var noted) && noted <= span.End ? Math.Max(noted, span.Start)
                : span.Start;
            ahead.Add(span with { Start = goesOn });
            _positions[new TopicPartitionId(topic, span.Partition)] = goesOn;
        }

        return ahead;
    }

    private async Task GoThroughAsync(PartitionSpan span, DeadLetterReader reader, CancellationToken cancellationToken)
    {
        if (span.Length == 0)
        {
            return;
        }

        var position = span.Start;
        try
        {
            await foreach (var letter in reader.ReadAsync(span, cancellationToken).ConfigureAwait(false))
            {
                await TakeAsync(letter, cancellationToken).ConfigureAwait(false);
                _remaining -= letter.Position.Offset + 1 - position;
                position = letter.Position.Offset + 1;
                if (_batch.Count >= options.BatchSize)
                {
                    await AwaitAnswersAsync(span.Partition, position, cancellationToken).ConfigureAwait(false);
                }
            }

            _remaining -= span.End - position;
            position = span.End;
            await AwaitAnswersAsync(span.Partition, position, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            await EndEarlyAsync(span.Partition, position, failure).ConfigureAwait(false);
            throw;
        }
    }

    private async Task TakeAsync(DeadLetter letter, CancellationToken cancellationToken)
    {
        if (options.Filter?.Matches(letter) is false)
        {
            _notMatching++;
            return;
        }

        var (route, reason, explanation) = await redriver.RouteAsync(letter, cancellationToken).ConfigureAwait(false);
        if (route is not { } way)
        {
            PassOver(letter, reason, explanation);
            return;
        }

        if (options.DryRun)
        {
            _sent++;
            return;
        }

        await WaitTurnAsync(cancellationToken).ConfigureAwait(false);
        _producer ??= await connect().WaitAsync(cancellationToken).ConfigureAwait(false);
        _batch.Add((letter, redriver.SendAsync(_producer, letter, way, cancellationToken)));
    }

    // A group without members has nobody who fences: of two in two processes both send a batch, and the second to note it stops.
    private async Task CheckNobodyElseAsync(int partition, CancellationToken cancellationToken)
    {
        var committed = await transport.Topics.GetCommittedOffsetsAsync(group, topic, cancellationToken).ConfigureAwait(false);
        if (committed.TryGetValue(new TopicPartitionId(topic, partition), out var found) != _noted.TryGetValue(partition, out var noted) || found != noted)
        {
            _isTaken = true;
            throw new InvalidOperationException($"Another redrive of {topic} runs under the same name: the progress in group '{group}' moved. Let it "
                + "end, or give this one a Name of its own.");
        }
    }

    private async Task WaitTurnAsync(CancellationToken cancellationToken)
    {
        if (options.MaxPerSecond is not { } rate)
        {
            return;
        }

        var now = time.GetTimestamp();
        if (_nextSend > now)
        {
            await Task.Delay(time.GetElapsedTime(now, _nextSend), time, cancellationToken).ConfigureAwait(false);
        }

        _nextSend = Math.Max(now, _nextSend) + (long)(time.TimestampFrequency / rate);
    }

    // Waits for what is under way and notes how far everything is acknowledged; then throws the first failure, if there is one.
    private async Task AwaitAnswersAsync(int partition, long position, CancellationToken cancellationToken)
    {
        var (acknowledged, failure) = await AnswersAsync(position).ConfigureAwait(false);
        if (failure is not null)
        {
            // Noted by whoever ends the run.
            _positions[new TopicPartitionId(topic, partition)] = acknowledged;
            ExceptionDispatchInfo.Throw(failure);
        }

        if (!options.DryRun)
        {
            await CheckNobodyElseAsync(partition, cancellationToken).ConfigureAwait(false);
            await NoteAsync(new Dictionary<int, long> { [partition] = position }, cancellationToken).ConfigureAwait(false);
        }

        _positions[new TopicPartitionId(topic, partition)] = position;
        listener?.Report(new RedriveProgress(_sent, _notMatching, _passedOver.Values.Sum(), _remaining));
    }

    private async Task<(long Acknowledged, Exception? Failure)> AnswersAsync(long position)
    {
        Exception? failure = null;
        foreach (var (letter, sending) in _batch)
        {
            try
            {
                if (await sending.ConfigureAwait(false) is null)
                {
                    PassOver(letter, SkippedReason.TooLarge, "with the headers that its new record needs it is larger than its target takes");
                }
                else
                {
                    _sent++;
                }
            }
            catch (Exception error)
            {
                position = failure is null ? letter.Position.Offset : position;
                failure ??= error;
            }
        }

        _batch.Clear();
        return (position, failure);
    }

    private async Task EndEarlyAsync(int partition, long position, Exception failure)
    {
        var place = new TopicPartitionId(topic, partition);
        if (_batch.Count > 0)
        {
            (_positions[place], _) = await AnswersAsync(position).ConfigureAwait(false);
        }

        DeadLettersLog.Interrupted(logger, topic, _sent, failure.Message);
        if (options.DryRun || _isTaken || _positions[place] <= _noted.GetValueOrDefault(partition))
        {
            return;
        }

        try
        {
            await NoteAsync(new Dictionary<int, long> { [partition] = _positions[place] }, CancellationToken.None).ConfigureAwait(false);
        }
        catch (KafkaTopicException unnoted)
        {
            // The failure that ended the run is what its caller is told.
            DeadLettersLog.NotNoted(logger, topic, unnoted.Message);
        }
    }

    private async Task NoteAsync(Dictionary<int, long> offsets, CancellationToken cancellationToken)
    {
        await transport.Records!.CommitAsync(group, topic, offsets, cancellationToken).ConfigureAwait(false);
        foreach (var (partition, offset) in offsets)
        {
            _noted[partition] = offset;
        }
    }

    private void PassOver(DeadLetter letter, SkippedReason reason, string explanation)
    {
        if (!_passedOver.TryGetValue(reason, out var count))
        {
            DeadLettersLog.PassedOver(logger, letter, explanation);
        }

        _passedOver[reason] = count + 1;
        if (_firstPassedOver.Count < MostListed)
        {
            _firstPassedOver.Add(new SkippedDeadLetter(letter.Position, reason, explanation));
        }
    }
}
