using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Producing;

/// <summary>
/// The client that sends go to, and what follows a fatal error of it: its sends fail, it is closed and another one is built, with backoff. It never builds
/// again where a right is missing.
/// </summary>
/// <remarks>
/// <para>Threading: the properties belong to the lock of <see cref="SendQueue"/>; methods take it unless they say otherwise.</para>
/// <list type="table">
/// <listheader><term>State</term><description>Changes to</description></listheader>
/// <item><term>New</term><description>Running (<see cref="Open"/>), Stopped</description></item>
/// <item><term>Running</term><description>Rebuilding (fatal error), Refused (fatal error of authorization), Stopped</description></item>
/// <item><term>Rebuilding</term><description>Running (a new client was built), Stopped</description></item>
/// <item><term>Refused</term><description>Stopped</description></item>
/// </list>
/// </remarks>
internal sealed class ProducerLife(
    SendQueue owner,
    Lock guard,
    Func<ProducerGeneration, IProducerClient> build,
    ClientDisposals disposals,
    TimeProvider time,
    ILogger logger,
    CancellationToken stopped)
{
    private static readonly TimeSpan FatalDrain = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstRebuildDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRebuildDelay = TimeSpan.FromSeconds(10);

    private int _rebuilds;

    public ProducerState State { get; private set; }

    /// <summary>The fatal error; null while all is well.</summary>
    public Error? Reason { get; private set; }

    public ProducerGeneration? Generation { get; private set; }

    /// <summary>Builds the first client; a second call does nothing.</summary>
    public void Open()
    {
        ProducerGeneration generation;
        lock (guard)
        {
            if (State != ProducerState.New)
            {
                return;
            }

            generation = Generation = Build();
            State = ProducerState.Running;
        }

        if (generation.Client.SendsToBroker)
        {
            ProducingLog.Connected(logger, generation.Client.Name);
        }

        EndedAlready(generation);
    }

    /// <summary>Whether this client takes sends now. Under the lock.</summary>
    public bool IsCurrent(ProducerGeneration generation) => State == ProducerState.Running && Generation == generation;

    /// <summary>A client delivered: the next fatal error is the first in a row. On the client's thread, without the lock.</summary>
    public void Delivered() => _rebuilds = 0;

    /// <summary>The client met a fatal error; reported once per client, later calls change nothing.</summary>
    public void Fatal(ProducerGeneration generation, Error error)
    {
        if (generation.End(error))
        {
            Ended(generation, error);
        }
    }

    /// <summary>Under the lock.</summary>
    /// <returns>The client to close.</returns>
    public ProducerGeneration? Stop()
    {
        var generation = Generation;
        State = ProducerState.Stopped;
        Generation = null;
        return generation;
    }

    private ProducerGeneration Build()
    {
        var generation = new ProducerGeneration(Fatal);
        generation.Client = build(generation);
        return generation;
    }

    // An error that came before the client was installed.
    private void EndedAlready(ProducerGeneration generation)
    {
        if (generation.Fatal is { } error)
        {
            Ended(generation, error);
        }
    }

    private void Ended(ProducerGeneration generation, Error error)
    {
        var refused = SendFailure.IsAuthorization(error.Code);
        lock (guard)
        {
            if (!IsCurrent(generation))
            {
                return;
            }

            State = refused ? ProducerState.Refused : ProducerState.Rebuilding;
            Reason = error;
            owner.ClientEnded();
        }

        _ = Task.Run(() => ReplaceAsync(generation, error, refused));
    }

    private async Task ReplaceAsync(ProducerGeneration generation, Error error, bool refused)
    {
        if (refused)
        {
            ProducingLog.Refused(logger, generation.Client.Name, SendFailure.Text(error));
        }
        else
        {
            ProducingLog.FatalError(logger, generation.Client.Name, SendFailure.Text(error));
        }

        try
        {
            // The client gives back what it has with each message's own status; what it does not give back may have been written.
            await generation.Drained.WaitAsync(FatalDrain, time, stopped).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            owner.FailWithClient(generation, error);
        }
        catch (OperationCanceledException)
        {
            // Stopped meanwhile: that has failed what is left, and disposes the client.
            return;
        }

        lock (guard)
        {
            if (State == ProducerState.Stopped)
            {
                return;
            }

            Generation = null;
            if (refused)
            {
                owner.FailAllWaiting(send => SendFailure.Fatal(send, error, mayHaveBeenWritten: false));
            }
        }

        disposals.Dispose(generation.Client);
        if (!refused)
        {
            await RebuildAsync().ConfigureAwait(false);
        }
    }

    private async Task RebuildAsync()
    {
        while (true)
        {
            var delay = TimeSpan.FromMilliseconds(Math.Min(
                LastRebuildDelay.TotalMilliseconds,
                FirstRebuildDelay.TotalMilliseconds * Math.Pow(2, Math.Min(_rebuilds++, 10))));
            try
            {
                await Task.Delay(delay, time, stopped).ConfigureAwait(false);
                var next = Build();
                lock (guard)
                {
                    if (State != ProducerState.Rebuilding)
                    {
                        disposals.Dispose(next.Client);
                        return;
                    }

                    Generation = next;
                    State = ProducerState.Running;
                    Reason = null;
                    owner.ClientBuilt();
                }

                ProducingLog.Rebuilt(logger, next.Client.Name);
                EndedAlready(next);
                return;
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception exception)
            {
                ProducingLog.RebuildFailed(logger, exception, Duration.Text(delay));
            }
        }
    }
}
