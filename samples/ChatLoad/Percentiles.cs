using System.Globalization;

namespace ChatLoad;

/// <summary>Durations, sorted.</summary>
internal sealed class Percentiles(IEnumerable<TimeSpan> durations)
{
    private readonly TimeSpan[] _sorted = [.. durations.Order()];

    public int Count => _sorted.Length;

    /// <summary>The duration that this part of all is not above; zero where there is none.</summary>
    /// <param name="part">0 to 1.</param>
    public TimeSpan this[double part] => _sorted.Length == 0 ? TimeSpan.Zero : _sorted[Math.Max(0, (int)Math.Ceiling(part * _sorted.Length) - 1)];

    /// <summary>The median and the 99th percentile, in milliseconds.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{this[0.5].TotalMilliseconds:0} / {this[0.99].TotalMilliseconds:0}");
}
