using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>What the client's answers do: each completes its send, once, or gives it its place in the line again. It never runs user code.</summary>
/// <remarks>Runs on the client's threads: never throws, never blocks for long.</remarks>
internal sealed class SendReports(ProducerLife life, SendPump pump, BatchRefusals refusals, TopicLimits? limits, SendTally tally, ISendGate? gate, ILogger logger)
{
    /// <summary>The client's answers to sends of one client, in the order in which it gave them.</summary>
    public void Take(ReadOnlySpan<SendReport> reports)
    {
        var generation = reports[0].Send.Generation!;
        Span<bool> taken = stackalloc bool[reports.Length];
        generation.Take(reports, taken);

        // Counted before they complete: who has awaited a send finds it counted.
        CountDelivered(reports, taken);
        var line = reports[0].Send.Line;
        var bytes = 0L;
        var ofLine = 0;
        var left = 0;
        var finished = 0;
        for (var i = 0; i < reports.Length; i++)
        {
            if (!taken[i])
            {
                continue;
            }

            var send = reports[i].Send;
            if (send.Line != line)
            {
                line.Left(ofLine, bytes);
                (line, ofLine, bytes) = (send.Line, 0, 0);
            }

            left++;
            ofLine++;
            bytes += send.Bytes;
            finished += Answer(generation, reports[i]) ? 1 : 0;
        }

        // Only now: who sees nothing in flight must find what goes again in its place in the line.
        tally.Done(finished);
        line.Left(ofLine, bytes);
        generation.Left(left);
        pump.Reported(generation);
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
        var line = send.Line;
        if (report.Code == ErrorCode.NoError)
        {
            try
            {
                Acknowledged(generation, report);
            }
            catch (Exception exception)
            {
                // The message is written, whatever goes wrong in our books.
                LogFault(exception, line.Topic);
            }

            send.TryComplete(new SendResult(line.Topic, report.Partition, report.Offset));
            send.LetGo();
            return true;
        }

        gate?.Failed(line.Topic, send.Bytes);
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
        var line = send.Line;
        gate?.Acknowledged(line.Topic, report.Partition, report.Offset, send.Bytes);

        // The console has said already what it would send.
        if (generation.Client.SendsToBroker && logger.IsEnabled(LogLevel.Debug))
        {
            LogSent(line.Topic, report.Partition, report.Offset, send.Key, send.Bytes);
        }

        if (refusals.Draining)
        {
            refusals.WarnIfInverted(send, report.Partition);
        }

        if (line.Limit is TopicLimit.Untold or TopicLimit.Limited)
        {
            limits?.Delivered(line);
        }
    }

    private void LogFault(Exception exception, string topic)
        => ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.ReportFault(logger, exception, topic), null);

    // A logger is user code: never on the client's thread.
    private void LogSent(string topic, int partition, long offset, MessageKey key, int bytes)
        => ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.Sent(logger, topic, partition, offset, key, bytes), null);
}
