namespace Narad.Kafka.Configuration;

/// <summary>
/// Tells a value that was mistyped from one that was written into the wrong setting and may be a secret: a value that could not be read is shown only where it
/// looks like what the setting takes.
/// </summary>
internal static class MayBeShown
{
    private const int LongestNumber = 20;

    /// <summary>Whether the value is one of these words, or a misspelling of one.</summary>
    public static bool AsOneOf(string? value, IEnumerable<string> words) => NearestName.To((value ?? "").Trim(), words) is not null;

    /// <summary>
    /// Whether the value is a number or a time as people write them: <c>-1</c>, <c>5s</c>, <c>1.5</c>, <c>00:00:05</c>, <c>10_000</c>, <c>200 ms</c>.
    /// </summary>
    public static bool AsNumber(string? value)
    {
        var text = (value ?? "").Trim();
        var digits = text.TrimEnd("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".ToCharArray());
        return text.Length <= LongestNumber && digits.Length > 0 && text.Length - digits.Length <= 3
            && digits.All(static c => char.IsAsciiDigit(c) || c is '.' or ',' or ':' or '-' or '+' or '_' or ' ');
    }
}
