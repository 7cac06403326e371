using Microsoft.Extensions.Time.Testing;

namespace Narad.Kafka.Tests;

/// <summary>
/// A clock that only the test moves; its timers fire on the thread that moves it. It knows its timers, and its wall clock can be stepped without moving timers
/// and timestamps.
/// </summary>
internal sealed class ManualTime() : FakeTimeProvider(DateTimeOffset.UnixEpoch)
{
    private readonly List<WatchedTimer> _armed = [];
    private TimeSpan _wrong;

    /// <summary>How many timers will fire.</summary>
    public int Timers
    {
        get
        {
            lock (_armed)
            {
                return _armed.Count;
            }
        }
    }

    /// <summary>Whether a timer will fire at this moment.</summary>
    public bool HasTimerAt(DateTimeOffset due)
    {
        lock (_armed)
        {
            return _armed.Exists(timer => timer.Due == due);
        }
    }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + _wrong;

    public override long GetTimestamp() => base.GetUtcNow().UtcTicks;

    /// <summary>Puts the wall clock forward, or back.</summary>
    public void StepWallClock(TimeSpan by) => _wrong += by;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new WatchedTimer(this, callback, state);
        timer.Watch(dueTime);   // first: a timer without a delay fires at once
        timer.Inner = base.CreateTimer(timer.Fire, state: null, dueTime, period);
        return timer;
    }

    private sealed class WatchedTimer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        public ITimer Inner { get; set; } = null!;

        public DateTimeOffset Due { get; private set; }

        public void Fire(object? none)
        {
            Watch(Timeout.InfiniteTimeSpan);
            callback(state);
        }

        public void Watch(TimeSpan dueTime)
        {
            lock (time._armed)
            {
                time._armed.Remove(this);
                if (dueTime != Timeout.InfiniteTimeSpan)
                {
                    Due = time.GetUtcNow() - time._wrong + dueTime;
                    time._armed.Add(this);
                }
            }
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Watch(dueTime);
            return Inner.Change(dueTime, period);
        }

        public void Dispose()
        {
            Watch(Timeout.InfiniteTimeSpan);
            Inner.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
