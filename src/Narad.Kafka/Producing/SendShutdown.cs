using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Producing;

/// <summary>
/// The end of the queue: waits for what was accepted, fails what is left at the deadline as unknown, and closes the client. No awaiter is left hanging.
/// </summary>
/// <remarks>Runs once, when the queue takes nothing any more; takes the lock of <see cref="SendQueue"/>.</remarks>
internal sealed class SendShutdown(
    SendQueue owner,
    Lock guard,
    ProducerLife life,
    SendDeadlines deadlines,
    ClientDisposals disposals,
    SendTally tally,
    CancellationTokenSource stopped,
    TimeProvider time,
    ILogger logger)
{
    private static readonly TimeSpan DisposeGrace = TimeSpan.FromSeconds(1);

    public async Task<SendCounts> RunAsync(TimeSpan timeout)
    {
        var started = time.GetTimestamp();
        try
        {
            await tally.WhenIdle().WaitAsync(timeout, time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // What has no answer now is unknown: counted and failed below.
        }

        ProducerGeneration? generation;
        lock (guard)
        {
            generation = life.Stop();
            owner.GiveUpWaiting();
        }

        await stopped.CancelAsync().ConfigureAwait(false);
        if (generation is not null)
        {
            while (generation.Peek() is { } send)
            {
                // A send that is given up never returns to the pool: its report may still come.
                if (generation.TryTake(send))
                {
                    tally.CountUnknown();
                    send.TryComplete(SendFailure.Unknown(send, mayHaveBeenWritten: true));
                    tally.Done();
                }
            }

            disposals.Dispose(generation.Client);
        }

        var left = timeout - time.GetElapsedTime(started);
        var abandoned = await disposals.WaitAsync(left > DisposeGrace ? left : DisposeGrace).ConfigureAwait(false);
        await deadlines.DisposeAsync().ConfigureAwait(false);
        var counts = new SendCounts(tally.Delivered, tally.Failed, tally.Unknown, abandoned) { Late = tally.Late };
        if (generation?.Client.SendsToBroker is false)
        {
            ProducingLog.ConsoleEnded(logger, counts.Delivered, counts.Failed, counts.Unknown);
        }
        else
        {
            ProducingLog.Disconnected(logger, counts.Delivered, counts.Late, counts.Failed, counts.Unknown);
        }

        return counts;
    }
}
