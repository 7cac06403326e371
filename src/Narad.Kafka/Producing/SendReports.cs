using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>What the client's answers do: each completes its send, once, or gives it its place in the queue again. It never runs user code.</summary>
/// <remarks>Runs on the client's threads: never throws, never blocks for long.</remarks>
internal sealed class SendReports(
    ProducerLife life, SendDispatcher dispatcher, BatchRefusals refusals, TopicLimits? limits, SendTally tally, ISendBackpressure? backpressure, ILogger logger)
{
    /// <summary>The client's answers to sends of one client, in the order in which it gave them.</summary>
    public void Take(ReadOnlySpan<SendReport> reports)
    {
        var generation = reports[0].Send.Generation!;
        Span<bool> taken = stackalloc bool[reports.Length];
        generation.Take(reports, taken);

        // Counted before they complete: who has awaited a send finds it counted.
        CountDelivered(reports, taken);
        var queue = reports[0].Send.Queue;
        var bytes = 0L;
        var ofQueue = 0;
        var left = 0;
        var finished = 0;
        for (var i = 0; i < reports.Length; i++)
        {
            if (!taken[i])
            {
                continue;
            }

            var send = reports[i].Send;
            if (send.Queue != queue)
            {
                queue.Left(ofQueue, bytes);
                (queue, ofQueue, bytes) = (send.Queue, 0, 0);
            }

            left++;
            ofQueue++;
            bytes += send.Bytes;
            finished += Answer(generation, reports[i]) ? 1 : 0;
        }

        // Only now: who sees nothing in flight must find what goes again in its place in the queue.
        tally.Done(finished);
        queue.Left(ofQueue, bytes);
        generation.Left(left);
        dispatcher.Reported(generation);
    }

    private void CountDelivered(ReadOnlySpan<SendReport> reports, ReadOnlySpan<bool> taken)
    {
        var delivered = 0;
        var late = 0;
        for (var i = 0; i < reports.Length; i++)
        {
            if (taken[i] && reports[i].Code == ErrorCode.NoError)
            {
                delivered++;
                late += reports[i].Send.IsTimedOut ? 1 : 0;
            }
        }

        if (delivered > 0)
        {
            life.Delivered();
            tally.CountDelivered(delivered - late, late);
        }
    }

    // False: it goes again.
    private bool Answer(ProducerGeneration generation, in SendReport report)
    {
        var send = report.Send;
        var queue = send.Queue;
        if (report.Code == ErrorCode.NoError)
        {
            try
            {
                Acknowledged(generation, report);
            }
            catch (Exception exception)
            {
                // The message is written, whatever goes wrong in our counters.
                LogReportError(exception, queue.Topic);
            }

            send.TryComplete(new SendResult(queue.Topic, report.Partition, report.Offset));
            send.LetGo();
            return true;
        }

        backpressure?.Failed(queue.Topic, send.Bytes);
        if (refusals.TrySendAgain(generation, send, report.Code, report.Status))
        {
            return false;
        }

        var mayHaveBeenWritten = report.Status != PersistenceStatus.NotPersisted;
        tally.CountFailed();
        send.TryComplete(generation.Fatal is { } fatal
            ? SendFailure.Fatal(send, fatal, mayHaveBeenWritten)
            : SendFailure.Refused(send, report.Code, reason: null, mayHaveBeenWritten));
        send.LetGo();
        return true;
    }

    private void Acknowledged(ProducerGeneration generation, in SendReport report)
    {
        var send = report.Send;
        var queue = send.Queue;
        backpressure?.Acknowledged(queue.Topic, report.Partition, report.Offset, send.Bytes);

        // The console has said already what it would send.
        if (generation.Client.SendsToBroker && logger.IsEnabled(LogLevel.Debug))
        {
            LogSent(queue.Topic, report.Partition, report.Offset, send.Key, send.Bytes);
        }

        if (refusals.Draining)
        {
            refusals.WarnIfInverted(send, report.Partition);
        }

        if (queue.Limit is TopicLimit.Untold or TopicLimit.Limited)
        {
            limits?.Delivered(queue);
        }
    }

    private void LogReportError(Exception exception, string topic)
        => ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.ReportError(logger, exception, topic), null);

    // A logger is user code: never on the client's thread.
    private void LogSent(string topic, int partition, long offset, MessageKey key, int bytes)
        => ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.Sent(logger, topic, partition, offset, key, bytes), null);
}
