using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Producing;

/// <summary>
/// Learns topics' <c>max.message.bytes</c> before their first send leaves the queue, so that no batch above it is ever made: a broker refuses a batch whole,
/// and what the client has queued behind it may then overtake. It never holds a topic for longer than <see cref="LookUpTimeout"/>, and never asks per send.
/// </summary>
/// <remarks>
/// Threading: <see cref="Ask"/> under the lock of <see cref="SendQueue"/>; the rest takes it. One request is under way at a time, for up to
/// <see cref="MostAtOnce"/> topics; topics that come meanwhile share the next.
/// </remarks>
internal sealed class TopicLimits(SendQueue owner, Lock guard, TimeSpan sendTimeout, TimeProvider time, ILogger logger, CancellationToken stopped)
{
    private const int MostAtOnce = 200;

    private static readonly TimeSpan LongestLookUp = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Reconsider = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LongestReconsider = TimeSpan.FromMinutes(5);

    private readonly Queue<TopicQueue> _toAsk = new();
    private bool _asking;
    private bool _saidUntold;

    /// <summary>The longest that a topic's first sends wait for its limit.</summary>
    private TimeSpan LookUpTimeout { get; } = TimeSpan.FromTicks(Math.Min(LongestLookUp.Ticks, sendTimeout.Ticks / 4));

    public void Ask(TopicQueue queue)
    {
        if (queue.Limit == TopicLimit.Unasked)
        {
            queue.Limit = TopicLimit.Asking;
        }

        if (!queue.IsToBeAsked)
        {
            queue.IsToBeAsked = true;
            _toAsk.Enqueue(queue);
        }

        if (!_asking)
        {
            _asking = true;
            _ = Task.Run(AskAllAsync);
        }
    }

    /// <summary>
    /// A message of a topic was delivered whose limit was not told, or is low: the broker can be asked again, once in a while, since limits are raised again.
    /// On the client's thread.
    /// </summary>
    public void Delivered(TopicQueue queue)
    {
        if (time.GetTimestamp() < queue.AskAgainAt)
        {
            return;
        }

        lock (guard)
        {
            if (queue.Limit is TopicLimit.Untold or TopicLimit.Limited && queue.AskAgainAt <= time.GetTimestamp())
            {
                queue.Reconsidered = queue.Limit == TopicLimit.Limited;
                queue.AskAgainAt = long.MaxValue;
                Ask(queue);
            }
        }
    }

    private async Task AskAllAsync()
    {
        while (true)
        {
            List<TopicQueue> queues = [];
            IProducerClient? client;
            lock (guard)
            {
                while (queues.Count < MostAtOnce && _toAsk.TryDequeue(out var queue))
                {
                    queue.IsToBeAsked = false;
                    queues.Add(queue);
                }

                if (queues.Count == 0)
                {
                    _asking = false;
                    return;
                }

                client = owner.Client;
            }

            var (answers, failure) = client is null ? (null, null) : await AskAsync(client, queues).ConfigureAwait(false);
            lock (guard)
            {
                for (var i = 0; i < queues.Count; i++)
                {
                    Learn(queues[i], answers?[i] ?? default, client?.LargestBatch ?? 0, asked: client is not null);
                }

                // A broker that does not answer is not waited for by one topic after the other.
                while (failure is not null && _toAsk.TryDequeue(out var queue))
                {
                    queue.IsToBeAsked = false;
                    Learn(queue, default, client!.LargestBatch, asked: true);
                }
            }

            Say(queues[0], answers?.Select(answer => answer.Reason).FirstOrDefault(reason => reason != ErrorCode.NoError) ?? ErrorCode.NoError, failure);
        }
    }

    private async Task<(IReadOnlyList<LimitAnswer>? Answers, Exception? Failure)> AskAsync(IProducerClient client, List<TopicQueue> queues)
    {
        try
        {
            // A call on a dying client never ends.
            var finding = client.FindLimitsAsync([.. queues.Select(queue => queue.Topic)], LookUpTimeout).Observe();
            return (await finding.WaitAsync(LookUpTimeout, time, stopped).ConfigureAwait(false), null);
        }
        catch (Exception exception)
        {
            // Whatever it is: the topics must continue, and it is logged.
            return (null, exception);
        }
    }

    // Under the lock.
    private void Learn(TopicQueue queue, LimitAnswer answer, int largestBatch, bool asked)
    {
        if (queue.Limit == TopicLimit.Limited)
        {
            // Otherwise asked twice, because a batch was refused meanwhile.
            if (queue.Reconsidered)
            {
                Widen(queue, answer, largestBatch);
            }

            return;
        }

        if (queue.Limit == TopicLimit.Refused)
        {
            // Refused again in spite of its window: the limit that was told does not hold. One message at a time is always right.
            queue.Window = queue.RefusedAgain ? 0 : Math.Max(0, (answer.Bytes ?? 0) - SendSize.BatchOverhead);
            queue.Limit = TopicLimit.Limited;
            if (queue.RefusedAgain)
            {
                // Each attempt at what does not hold costs a refused batch.
                queue.ReconsiderAfter = queue.Widened ? TimeSpan.FromTicks(Math.Min(queue.ReconsiderAfter.Ticks * 2, LongestReconsider.Ticks)) : Reconsider;
                queue.Widened = false;
            }

            ReconsiderLater(queue);
            var (refused, window) = (queue.Topic, queue.Window);
            ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.BatchRefused(logger, refused, window), null);
        }
        else if (!asked)
        {
            queue.Limit = TopicLimit.Unasked;
        }
        else if (answer.Bytes is not { } bytes)
        {
            queue.Limit = TopicLimit.Untold;
            queue.AskAgainAt = SendFailure.IsAuthorization(answer.Reason)
                ? long.MaxValue
                : time.GetTimestamp() + (long)(answer.Reason == ErrorCode.UnknownTopicOrPart ? 0 : AskAgain.TotalSeconds * time.TimestampFrequency);
        }
        else if (bytes < largestBatch + SendSize.BatchOverhead)
        {
            queue.Window = Math.Max(0, bytes - SendSize.BatchOverhead);
            queue.Limit = TopicLimit.Limited;
            ReconsiderLater(queue);
            var topic = queue.Topic;
            ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.LimitBelowBatch(logger, topic, bytes, largestBatch), null);
        }
        else
        {
            queue.Limit = TopicLimit.Open;
        }

        owner.Changed(queue);
    }

    // Under the lock.
    private void Widen(TopicQueue queue, LimitAnswer answer, int largestBatch)
    {
        ReconsiderLater(queue);
        if (answer.Bytes is not { } bytes)
        {
            return;
        }

        var window = bytes < largestBatch + SendSize.BatchOverhead ? Math.Max(0, bytes - SendSize.BatchOverhead) : long.MaxValue;
        if (window <= queue.Window)
        {
            queue.Window = window;
            return;
        }

        queue.Window = window;
        queue.Widened = true;
        queue.Limit = window == long.MaxValue ? TopicLimit.Open : TopicLimit.Limited;
        var topic = queue.Topic;
        ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.LimitRaised(logger, topic, bytes), null);
        owner.Changed(queue);
    }

    // Under the lock.
    private void ReconsiderLater(TopicQueue queue)
    {
        queue.Reconsidered = false;
        if (queue.ReconsiderAfter == TimeSpan.Zero)
        {
            queue.ReconsiderAfter = Reconsider;
        }

        queue.AskAgainAt = time.GetTimestamp() + (long)(queue.ReconsiderAfter.TotalSeconds * time.TimestampFrequency);
    }

    // A missing topic is reported by its sends.
    private void Say(TopicQueue queue, ErrorCode reason, Exception? failure)
    {
        if (_saidUntold || stopped.IsCancellationRequested || (failure is null && reason is ErrorCode.NoError or ErrorCode.UnknownTopicOrPart))
        {
            return;
        }

        _saidUntold = true;
        ProducingLog.LimitUntold(logger, queue.Topic, failure?.Message ?? reason.GetReason());
    }
}
