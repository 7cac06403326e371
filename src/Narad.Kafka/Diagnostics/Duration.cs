using System.Globalization;

namespace Narad.Kafka.Diagnostics;

/// <summary>How long something takes, as people write it in logs and exceptions. What is to be written into a configuration has that one's own form.</summary>
internal static class Duration
{
    /// <summary><c>250 ms</c>, <c>90 s</c>, <c>2.5 min</c>, <c>2 h</c>: in the unit that reads best, to three digits behind the point.</summary>
    public static string Text(TimeSpan time)
    {
        var (value, unit) = time.Duration() switch
        {
            var size when size >= TimeSpan.FromHours(1) => (time.TotalHours, "h"),
            var size when size >= TimeSpan.FromMinutes(2) => (time.TotalMinutes, "min"),
            var size when size >= TimeSpan.FromSeconds(1) || size == TimeSpan.Zero => (time.TotalSeconds, "s"),
            _ => (time.TotalMilliseconds, "ms"),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{value:0.###} {unit}");
    }
}
