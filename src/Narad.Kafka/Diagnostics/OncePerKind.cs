using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Narad.Kafka.Diagnostics;

/// <summary>
/// Decides when trouble that repeats is logged: each kind once for as long as it lasts, and again every <see cref="ReminderInterval"/>. A kind is over when it
/// is reported to be, or when it was
/// not met for <paramref name="lapse"/>. Thread-safe.
/// </summary>
/// <typeparam name="TKind">What distinguishes one kind of trouble from another: never text that has figures in it.</typeparam>
/// <param name="time">The clock.</param>
/// <param name="lapse">When a kind that was not met counts as over; null: never by itself.</param>
internal sealed class OncePerKind<TKind>(TimeProvider time, TimeSpan? lapse = null)
    where TKind : notnull
{
    private readonly ConcurrentDictionary<TKind, Entry> _met = new();

    /// <summary>How long trouble lasts before it is logged again.</summary>
    public static TimeSpan ReminderInterval { get; } = TimeSpan.FromMinutes(30);

    /// <summary>Whether nothing lasts, as far as is known.</summary>
    public bool IsEmpty => _met.IsEmpty;

    /// <summary>The trouble was met.</summary>
    /// <returns>Whether to log it now.</returns>
    public bool IsDue(TKind kind)
    {
        var now = time.GetTimestamp();
        while (true)
        {
            if (!_met.TryGetValue(kind, out var known))
            {
                if (_met.TryAdd(kind, new Entry(now, now)))
                {
                    return true;
                }

                continue;
            }

            var isDue = time.GetElapsedTime(known.Logged, now) >= ReminderInterval || (lapse is { } limit && time.GetElapsedTime(known.Met, now) >= limit);
            if (_met.TryUpdate(kind, new Entry(isDue ? now : known.Logged, now), known))
            {
                return isDue;
            }
        }
    }

    /// <summary>The trouble is over: met again, it is news.</summary>
    /// <returns>Whether it had been met.</returns>
    public bool Over(TKind kind) => !_met.IsEmpty && _met.TryRemove(kind, out _);

    /// <summary>All of it is over.</summary>
    public void Over() => _met.Clear();

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Entry(long Logged, long Met);
}
