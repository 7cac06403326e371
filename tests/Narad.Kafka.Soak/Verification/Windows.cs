using System.Diagnostics;

namespace Narad.Kafka.Soak.Verification;

/// <summary>Spans of time in which something was broken, in milliseconds since 1970. Immutable.</summary>
internal sealed class Windows
{
    private readonly (long From, long To)[] _windows;

    /// <param name="windows">In ticks of <see cref="Stopwatch"/>.</param>
    public Windows(IEnumerable<(long From, long To)> windows)
    {
        var (now, ticks) = (DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), Stopwatch.GetTimestamp());
        long Milliseconds(long at) => now - ((ticks - at) * 1_000 / Stopwatch.Frequency);
        _windows = [.. windows.Select(window => (Milliseconds(window.From), Milliseconds(window.To)))];
    }

    public bool Contains(long at) => Touches(at, at);

    public bool Touches(long from, long to) => _windows.Any(window => from <= window.To && to >= window.From);
}
