using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>What the client's answers do: each completes its send, once, or gives it its place in the line again. It never runs user code.</summary>
/// <remarks>Runs on the client's threads: never throws, never blocks for long.</remarks>
internal sealed class SendReports(ProducerLife life, SendPump pump, BatchRefusals refusals, TopicLimits? limits, SendTally tally, ISendGate? gate, ILogger logger)
{
    /// <summary>The client's answer to one send.</summary>
    public void Take(PendingSend send, int partition, long offset, ErrorCode code, PersistenceStatus status)
    {
        var generation = send.Generation!;
        var line = send.Line;
        var bytes = send.Bytes;
        if (!generation.TryTake(send))
        {
            return;
        }

        if (code == ErrorCode.NoError)
        {
            gate?.Acknowledged(line.Topic, partition, offset, bytes);
            // The console has said already what it would send.
            if (generation.Client.SendsToBroker && logger.IsEnabled(LogLevel.Debug))
            {
                LogSent(line.Topic, partition, offset, send.Key, bytes);
            }

            if (refusals.Draining)
            {
                refusals.WarnIfInverted(send, partition);
            }

            if (line.Limit == TopicLimit.Untold)
            {
                limits!.Delivered(line);
            }

            life.Delivered();
            tally.CountDelivered();
            send.TryComplete(new SendResult(line.Topic, partition, offset));
            Finish(send);
        }
        else
        {
            gate?.Failed(line.Topic, bytes);
            if (!refusals.TrySendAgain(generation, send, code, status))
            {
                var mayHaveBeenWritten = status != PersistenceStatus.NotPersisted;
                Fail(send, generation.Fatal is { } fatal
                    ? SendFailure.Fatal(send, fatal, mayHaveBeenWritten)
                    : SendFailure.Refused(send, code, reason: null, mayHaveBeenWritten));
            }
        }

        // Only now: who sees nothing in flight must find what goes again in its place in the line.
        line.Left(bytes);
        generation.Left();
        pump.Reported(generation);
    }

    // A logger is user code: never on the client's thread.
    private void LogSent(string topic, int partition, long offset, MessageKey key, int bytes)
        => ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.Sent(logger, topic, partition, offset, key, bytes), null);

    private void Fail(PendingSend send, KafkaSendException exception)
    {
        tally.CountFailed();
        send.TryComplete(exception);
        Finish(send);
    }

    private void Finish(PendingSend send)
    {
        send.LetGo();
        tally.Done();
    }
}
