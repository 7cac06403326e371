namespace Narad.Kafka.Producing;

/// <summary>
/// Ends sends at <c>SendTimeout</c> from their call: those that wait leave the queue, those that waited and are with the client now fail for their awaiter. The
/// client reckons from the moment it takes a message, so what goes straight through is left to it and never asks the clock.
/// </summary>
/// <remarks>Threading: under the lock of <see cref="SendQueue"/>; the timer's tick takes it.</remarks>
internal sealed class SendDeadlines : IAsyncDisposable
{
    private readonly SendQueue _owner;
    private readonly Lock _guard;
    private readonly TimeProvider _time;
    private readonly long _timeout;
    private readonly TimeSpan _tick;
    private readonly ITimer _timer;
    private bool _ticking;

    // No send that is with the client and has a deadline has an earlier one.
    private long _earliestWithClient = long.MaxValue;

    public SendDeadlines(SendQueue owner, Lock guard, TimeSpan timeout, TimeProvider time)
    {
        _owner = owner;
        _guard = guard;
        _time = time;
        _timeout = (long)(timeout.TotalSeconds * time.TimestampFrequency);
        _tick = TimeSpan.FromMilliseconds(Math.Clamp(timeout.TotalMilliseconds / 20, 10, 500));
        _timer = time.CreateTimer(static state => ((SendDeadlines)state!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// A send that has joined the queue has to wait, for the first time or again. Deadlines never fall along a topic's queue: only its head is looked at.
    /// </summary>
    public void Waits(PendingSend send)
    {
        if (send.Deadline == 0)
        {
            send.Deadline = _time.GetTimestamp() + _timeout;
        }

        if (send.Next is { } next && next.Deadline < send.Deadline)
        {
            // It was refused with its batch, or sent from within middleware: it has no more time than who waits for it.
            send.Deadline = next.Deadline;
        }

        StartTicking();
    }

    /// <summary>A send is with the client now.</summary>
    public void HandedOver(PendingSend send)
    {
        if (send.Deadline != 0 && send.Deadline < _earliestWithClient)
        {
            _earliestWithClient = send.Deadline;
            StartTicking();
        }
    }

    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private void StartTicking()
    {
        if (!_ticking)
        {
            _ticking = true;
            _timer.Change(_tick, _tick);
        }
    }

    private void Tick()
    {
        lock (_guard)
        {
            var now = _time.GetTimestamp();
            var someoneWaits = _owner.ExpireWaiting(now);
            if (_earliestWithClient <= now)
            {
                _earliestWithClient = _owner.ExpireWithClient(now);
            }

            if (!someoneWaits && _earliestWithClient == long.MaxValue)
            {
                _ticking = false;
                _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }
        }
    }
}
