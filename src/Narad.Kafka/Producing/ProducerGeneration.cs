using Confluent.Kafka;

namespace Narad.Kafka.Producing;

/// <summary>
/// One client's life and the sends that are with it: a report from an earlier generation changes nothing in the next. Thread-safe: the list has a lock
/// of its own, which is held briefly and never while another one is taken.
/// </summary>
internal sealed class ProducerGeneration(Action<ProducerGeneration, Error> onFatal)
{
    private readonly Lock _lock = new();
    private readonly PendingSendList _sends = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _entered;
    private long _left;
    private Error? _fatal;

    public IProducerClient Client { get; set; } = null!;

    public long InFlight
    {
        get
        {
            var left = Interlocked.Read(ref _left);   // first: what left has entered before
            return Volatile.Read(ref _entered) - left;
        }
    }

    /// <summary>What ended this client; written once.</summary>
    public Error? Fatal => Volatile.Read(ref _fatal);

    /// <summary>Completes when nothing is with the client after <see cref="End"/>.</summary>
    public Task Drained => _drained.Task;

    /// <summary>The client met a fatal error; called on its thread.</summary>
    public void Fail(Error error) => onFatal(this, error);

    public bool End(Error fatal)
    {
        if (Interlocked.CompareExchange(ref _fatal, fatal, null) is not null)
        {
            return false;
        }

        if (InFlight == 0)
        {
            _drained.TrySetResult();
        }

        return true;
    }

    public void Entered(PendingSend send)
    {
        lock (_lock)
        {
            _sends.AddLast(send);
            Volatile.Write(ref _entered, _entered + 1);
        }
    }

    /// <summary>Takes those out of the list that have their report. <see cref="Left"/> follows.</summary>
    /// <param name="reports">What the client said.</param>
    /// <param name="taken">Set to false where someone else took it.</param>
    public void Take(ReadOnlySpan<SendReport> reports, Span<bool> taken)
    {
        lock (_lock)
        {
            for (var i = 0; i < reports.Length; i++)
            {
                taken[i] = _sends.Remove(reports[i].Send);
            }
        }
    }

    /// <summary>Takes a send out of the list: it was refused, or is given up. <see cref="Left"/> follows.</summary>
    /// <returns>False where someone else took it.</returns>
    public bool TryTake(PendingSend send)
    {
        lock (_lock)
        {
            return _sends.Remove(send);
        }
    }

    /// <summary>So many that were taken are dealt with.</summary>
    public void Left(int count = 1)
    {
        Interlocked.Add(ref _left, count);
        if (InFlight == 0 && Fatal is not null)
        {
            _drained.TrySetResult();
        }
    }

    /// <summary>
    /// Fails, for their awaiters, the sends whose time is over; they stay in the list, because the client still has them. While the list is locked no report
    /// can let go of one, so each is in the life that its deadline belongs to.
    /// </summary>
    /// <returns>The next deadline of those that have one.</returns>
    public long Expire(long now)
    {
        var next = long.MaxValue;
        lock (_lock)
        {
            for (var send = _sends.First; send is not null; send = send.Next)
            {
                if (send.Deadline != 0 && send.Deadline <= now)
                {
                    if (!send.IsCompleted && send.TryComplete(SendFailure.Refused(send, ErrorCode.Local_MsgTimedOut, reason: null, mayHaveBeenWritten: true)))
                    {
                        send.IsTimedOut = true;
                    }
                }
                else if (send.Deadline != 0)
                {
                    next = Math.Min(next, send.Deadline);
                }
            }
        }

        return next;
    }

    /// <summary>Any send that is with the client.</summary>
    public PendingSend? Peek()
    {
        lock (_lock)
        {
            return _sends.First;
        }
    }
}
