using System.Runtime.InteropServices;

namespace Narad.Kafka.Failures;

/// <summary>
/// The messages of one retry partition that are not due yet: where they are and when they are due, nothing else, so that a hundred thousand of them are a few
/// megabytes. It never holds a message and never looks at a clock.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only. In order of sequence number, which is that of the offsets: taking what is due goes over all of them (0.1 ms for a hundred
/// thousand), but only when something is.
/// </remarks>
internal sealed class DelayedRetries
{
    private readonly List<DelayedRetry> _waiting = [];

    public int Count => _waiting.Count;

    /// <summary>When the next one is due, in milliseconds since 1970; <see cref="long.MaxValue"/> where none waits.</summary>
    public long NextDue { get; private set; } = long.MaxValue;

    /// <summary>How many were taken to be moved and have not got there.</summary>
    public int Republishing { get; set; }

    /// <summary>One got there, or was gone before; one of a log that went back counts no more.</summary>
    public void OnRepublished() => Republishing = Math.Max(0, Republishing - 1);

    public void Add(in DelayedRetry retry)
    {
        if (_waiting.Count == _waiting.Capacity)
        {
            // By a quarter, not to the double: of a million there are megabytes.
            _waiting.Capacity = Math.Max(64, _waiting.Capacity + (_waiting.Capacity / 4));
        }

        _waiting.Add(retry);
        NextDue = Math.Min(NextDue, retry.Due);
    }

    /// <summary>Takes those that are due, lowest offset first.</summary>
    public List<DelayedRetry> TakeDue(long now)
    {
        var due = new List<DelayedRetry>();
        if (NextDue > now)
        {
            return due;
        }

        NextDue = long.MaxValue;
        var kept = 0;
        var all = CollectionsMarshal.AsSpan(_waiting);
        foreach (ref readonly var retry in all)
        {
            if (retry.Due <= now)
            {
                due.Add(retry);
            }
            else
            {
                all[kept++] = retry;
                NextDue = Math.Min(NextDue, retry.Due);
            }
        }

        _waiting.RemoveRange(kept, _waiting.Count - kept);
        return due;
    }

    /// <summary>Takes the first ones that may be moved, at most so many, and none behind one that may not: moving that would make no room.</summary>
    public List<DelayedRetry> TakeFirst(int most, long now)
    {
        var count = 0;
        while (count < most && count < _waiting.Count && _waiting[count].RepublishAt <= now)
        {
            count++;
        }

        return Take(count);
    }

    /// <summary>Takes those below an offset.</summary>
    public List<DelayedRetry> TakeBelow(long offset)
    {
        var count = 0;
        while (count < _waiting.Count && _waiting[count].Offset < offset)
        {
            count++;
        }

        return Take(count);
    }

    public void Clear()
    {
        _waiting.Clear();
        NextDue = long.MaxValue;
        Republishing = 0;
    }

    private List<DelayedRetry> Take(int count)
    {
        var taken = _waiting.GetRange(0, count);
        _waiting.RemoveRange(0, count);
        if (count > 0)
        {
            NextDue = long.MaxValue;
            foreach (ref readonly var retry in CollectionsMarshal.AsSpan(_waiting))
            {
                NextDue = Math.Min(NextDue, retry.Due);
            }
        }

        return taken;
    }
}
