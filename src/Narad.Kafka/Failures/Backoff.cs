using System.Globalization;

namespace Narad.Kafka;

/// <summary>
/// How long to wait before retry 1, 2, …. Immutable and thread-safe. A wait is never below zero and never above <see cref="Longest"/>.
/// </summary>
internal sealed class Backoff
{
    private const double Jitter = 0.25;

    private readonly Func<int, TimeSpan> _delay;
    private readonly double _jitter;
    private readonly Random _random;

    private Backoff(Func<int, TimeSpan> delay, double jitter = 0, Random? random = null)
    {
        _delay = delay;
        _jitter = jitter;
        _random = random ?? Random.Shared;
    }

    /// <summary>The longest wait that there is: 366 days.</summary>
    public static TimeSpan Longest { get; } = TimeSpan.FromDays(366);

    /// <summary>No wait at all.</summary>
    public static Backoff None { get; } = new(static _ => TimeSpan.Zero);

    /// <summary>Always the same wait; 0 to <see cref="Longest"/>.</summary>
    public static Backoff Fixed(TimeSpan delay)
    {
        Check(delay, nameof(delay));
        return new Backoff(_ => delay);
    }

    /// <summary>Waits that grow: <paramref name="first"/>, <paramref name="first"/> × <paramref name="factor"/>, and so on.</summary>
    /// <param name="first">The first wait; 0 to <see cref="Longest"/>.</param>
    /// <param name="factor">By how much each wait is longer than the one before; 1 to 100; default 2.</param>
    /// <param name="max">No wait is longer than this; default <see cref="Longest"/>.</param>
    public static Backoff Exponential(TimeSpan first, double factor = 2, TimeSpan? max = null)
    {
        Check(first, nameof(first));
        Check(max ?? Longest, nameof(max));
        if (!(factor >= 1 && factor <= 100))
        {
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "A backoff's factor must be 1 to 100.");
        }

        var limit = (max ?? Longest).TotalMilliseconds;
        if (first == TimeSpan.Zero)
        {
            return None;
        }

        return new Backoff(retry => TimeSpan.FromMilliseconds(Math.Min(limit, first.TotalMilliseconds * Math.Pow(factor, retry - 1))));
    }

    /// <summary>These waits one after the other; the last one again and again. At least one; 0 to <see cref="Longest"/> each.</summary>
    public static Backoff List(params IReadOnlyList<TimeSpan> delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        if (delays.Count == 0)
        {
            throw new ArgumentException("A list of waits needs at least one.", nameof(delays));
        }

        TimeSpan[] copy = [.. delays];
        foreach (var delay in copy)
        {
            Check(delay, nameof(delays));
        }

        return new Backoff(retry => copy[Math.Min(retry, copy.Length) - 1]);
    }

    /// <summary>
    /// The wait that a delegate names for retry 1, 2, …. What it answers is kept within 0 and <see cref="Longest"/>; where it throws, the wait is 0.
    /// </summary>
    public static Backoff Custom(Func<int, TimeSpan> delay)
    {
        ArgumentNullException.ThrowIfNull(delay);
        return new Backoff(delay);
    }

    /// <summary>The same waits, each longer or shorter by chance, so that what failed together does not come back together.</summary>
    /// <param name="share">By how much at most, as a share of the wait; 0 to 1.</param>
    public Backoff WithJitter(double share) => WithJitter(share, Random.Shared);

    internal Backoff WithJitter(double share, Random random)
    {
        if (!(share >= 0 && share <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(share), share, "A backoff's jitter is a share of the wait: 0 to 1.");
        }

        return new Backoff(_delay, share, random);
    }

    /// <summary>The waits that options describe: each within 0 and <paramref name="maxDelay"/>, with a quarter of chance where there is jitter.</summary>
    public static Backoff From(TimeSpan delay, TimeSpan? maxDelay, DelayBackoffType type, bool useJitter, Func<int, TimeSpan>? generator)
    {
        var limit = maxDelay ?? Longest;
        Func<int, TimeSpan> wait = (generator, type) switch
        {
            ({ } own, _) => own,
            (_, DelayBackoffType.Linear) => retry => Within(delay.TotalMilliseconds * retry),
            (_, DelayBackoffType.Exponential) => retry => delay == TimeSpan.Zero ? delay : Within(delay.TotalMilliseconds * Math.Pow(2, retry - 1)),
            _ => _ => delay,
        };
        return new Backoff(retry => wait(retry) is var wanted && wanted > limit ? limit : wanted, useJitter ? Jitter : 0);

        TimeSpan Within(double milliseconds) => TimeSpan.FromMilliseconds(Math.Min(limit.TotalMilliseconds, milliseconds));
    }

    /// <summary>The wait before a retry, counted from 1.</summary>
    public TimeSpan Before(int retry)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(retry, 1);
        var delay = _delay(retry);
        if (_jitter > 0)
        {
            delay *= 1 + (_jitter * ((2 * _random.NextDouble()) - 1));
        }

        return delay < TimeSpan.Zero ? TimeSpan.Zero : delay > Longest ? Longest : delay;
    }

    /// <summary>The longest of the first waits, whatever chance makes of them.</summary>
    internal TimeSpan LongestOf(int retries)
    {
        var longest = TimeSpan.Zero;
        for (var retry = 1; retry <= retries; retry++)
        {
            var delay = _delay(retry);
            delay = delay < Longest ? delay * (1 + _jitter) : Longest;
            longest = delay > longest ? delay : longest;
        }

        return longest > Longest ? Longest : longest;
    }

    private static void Check(TimeSpan delay, string name)
    {
        if (delay < TimeSpan.Zero || delay > Longest)
        {
            throw new ArgumentOutOfRangeException(name, delay, string.Create(CultureInfo.InvariantCulture, $"A wait must be 0 to {Longest.TotalDays} days."));
        }
    }
}
