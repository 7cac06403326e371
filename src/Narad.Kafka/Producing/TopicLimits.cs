using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Producing;

/// <summary>
/// Learns topics' <c>max.message.bytes</c> before their first send leaves the line, so that no batch above it is ever made: a broker refuses a batch whole,
/// and what the client has queued behind it may then overtake. It never holds a topic for longer than <see cref="Hold"/>, and never asks per send.
/// </summary>
/// <remarks>
/// Threading: <see cref="Ask"/> under the lock of <see cref="SendLine"/>; the rest takes it. One request is under way at a time, for up to
/// <see cref="MostAtOnce"/> topics; topics that come meanwhile share the next.
/// </remarks>
internal sealed class TopicLimits(SendLine owner, Lock guard, TimeSpan sendTimeout, TimeProvider time, ILogger logger, CancellationToken stopped)
{
    private const int MostAtOnce = 200;

    private static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Reconsider = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LongestReconsider = TimeSpan.FromMinutes(5);

    private readonly Queue<TopicLine> _toAsk = new();
    private bool _asking;
    private bool _saidUntold;

    /// <summary>The longest that a topic's first sends wait for its limit.</summary>
    private TimeSpan Hold { get; } = TimeSpan.FromTicks(Math.Min(LongestHold.Ticks, sendTimeout.Ticks / 4));

    public void Ask(TopicLine line)
    {
        if (line.Limit == TopicLimit.Unasked)
        {
            line.Limit = TopicLimit.Asking;
        }

        if (!line.IsToBeAsked)
        {
            line.IsToBeAsked = true;
            _toAsk.Enqueue(line);
        }

        if (!_asking)
        {
            _asking = true;
            _ = Task.Run(AskAllAsync);
        }
    }

    /// <summary>
    /// A message of a topic was delivered whose limit was not told, or is low: the broker can be asked again, once in a while, since limits are raised again. On the client's thread.
    /// </summary>
    public void Delivered(TopicLine line)
    {
        if (time.GetTimestamp() < line.AskAgainAt)
        {
            return;
        }

        lock (guard)
        {
            if (line.Limit is TopicLimit.Untold or TopicLimit.Limited && line.AskAgainAt <= time.GetTimestamp())
            {
                line.Reconsidered = line.Limit == TopicLimit.Limited;
                line.AskAgainAt = long.MaxValue;
                Ask(line);
            }
        }
    }

    private async Task AskAllAsync()
    {
        while (true)
        {
            List<TopicLine> lines = [];
            IProducerClient? client;
            lock (guard)
            {
                while (lines.Count < MostAtOnce && _toAsk.TryDequeue(out var line))
                {
                    line.IsToBeAsked = false;
                    lines.Add(line);
                }

                if (lines.Count == 0)
                {
                    _asking = false;
                    return;
                }

                client = owner.Client;
            }

            var (answers, failure) = client is null ? (null, null) : await AskAsync(client, lines).ConfigureAwait(false);
            lock (guard)
            {
                for (var i = 0; i < lines.Count; i++)
                {
                    Learn(lines[i], answers?[i] ?? default, client?.LargestBatch ?? 0, asked: client is not null);
                }

                // A broker that does not answer is not waited for by one topic after the other.
                while (failure is not null && _toAsk.TryDequeue(out var line))
                {
                    line.IsToBeAsked = false;
                    Learn(line, default, client!.LargestBatch, asked: true);
                }
            }

            Say(lines[0], answers?.Select(answer => answer.Reason).FirstOrDefault(reason => reason != ErrorCode.NoError) ?? ErrorCode.NoError, failure);
        }
    }

    private async Task<(IReadOnlyList<LimitAnswer>? Answers, Exception? Failure)> AskAsync(IProducerClient client, List<TopicLine> lines)
    {
        try
        {
            // A call on a dying client never ends.
            var finding = client.FindLimitsAsync([.. lines.Select(line => line.Topic)], Hold).Observe();
            return (await finding.WaitAsync(Hold, time, stopped).ConfigureAwait(false), null);
        }
        catch (Exception exception)
        {
            // Whatever it is: the topics must go on, and it is said.
            return (null, exception);
        }
    }

    // Under the lock.
    private void Learn(TopicLine line, LimitAnswer answer, int largestBatch, bool asked)
    {
        if (line.Limit == TopicLimit.Limited)
        {
            // Otherwise asked twice, because a batch was refused meanwhile.
            if (line.Reconsidered)
            {
                Widen(line, answer, largestBatch);
            }

            return;
        }

        if (line.Limit == TopicLimit.Refused)
        {
            // Refused again in spite of its window: the limit that was told does not hold. One message at a time is always right.
            line.Window = line.RefusedAgain ? 0 : Math.Max(0, (answer.Bytes ?? 0) - SendSize.BatchOverhead);
            line.Limit = TopicLimit.Limited;
            if (line.RefusedAgain)
            {
                // Each attempt at what does not hold costs a refused batch.
                line.ReconsiderAfter = line.Widened ? TimeSpan.FromTicks(Math.Min(line.ReconsiderAfter.Ticks * 2, LongestReconsider.Ticks)) : Reconsider;
                line.Widened = false;
            }

            ReconsiderLater(line);
            var (refused, window) = (line.Topic, line.Window);
            ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.BatchRefused(logger, refused, window), null);
        }
        else if (!asked)
        {
            line.Limit = TopicLimit.Unasked;
        }
        else if (answer.Bytes is not { } bytes)
        {
            line.Limit = TopicLimit.Untold;
            line.AskAgainAt = SendFailure.IsAuthorization(answer.Reason)
                ? long.MaxValue
                : time.GetTimestamp() + (long)(answer.Reason == ErrorCode.UnknownTopicOrPart ? 0 : AskAgain.TotalSeconds * time.TimestampFrequency);
        }
        else if (bytes < largestBatch + SendSize.BatchOverhead)
        {
            line.Window = Math.Max(0, bytes - SendSize.BatchOverhead);
            line.Limit = TopicLimit.Limited;
            ReconsiderLater(line);
            var topic = line.Topic;
            ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.LimitBelowBatch(logger, topic, bytes, largestBatch), null);
        }
        else
        {
            line.Limit = TopicLimit.Open;
        }

        owner.Changed(line);
    }

    // Under the lock.
    private void Widen(TopicLine line, LimitAnswer answer, int largestBatch)
    {
        ReconsiderLater(line);
        if (answer.Bytes is not { } bytes)
        {
            return;
        }

        var window = bytes < largestBatch + SendSize.BatchOverhead ? Math.Max(0, bytes - SendSize.BatchOverhead) : long.MaxValue;
        if (window <= line.Window)
        {
            line.Window = window;
            return;
        }

        line.Window = window;
        line.Widened = true;
        line.Limit = window == long.MaxValue ? TopicLimit.Open : TopicLimit.Limited;
        var topic = line.Topic;
        ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.LimitRaised(logger, topic, bytes), null);
        owner.Changed(line);
    }

    // Under the lock.
    private void ReconsiderLater(TopicLine line)
    {
        line.Reconsidered = false;
        if (line.ReconsiderAfter == TimeSpan.Zero)
        {
            line.ReconsiderAfter = Reconsider;
        }

        line.AskAgainAt = time.GetTimestamp() + (long)(line.ReconsiderAfter.TotalSeconds * time.TimestampFrequency);
    }

    // A missing topic is said by its sends.
    private void Say(TopicLine line, ErrorCode reason, Exception? failure)
    {
        if (_saidUntold || stopped.IsCancellationRequested || (failure is null && reason is ErrorCode.NoError or ErrorCode.UnknownTopicOrPart))
        {
            return;
        }

        _saidUntold = true;
        ProducingLog.LimitUntold(logger, line.Topic, failure?.Message ?? reason.GetReason());
    }
}
