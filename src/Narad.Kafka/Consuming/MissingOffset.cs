using System.Globalization;
using System.Text.RegularExpressions;
using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>An offset that the client cannot read from, as it reports it with <see cref="ErrorCode.Local_AutoOffsetReset"/>.</summary>
/// <param name="Offset">Where the group stands; below 0 where the client did not say.</param>
/// <param name="IsTruncated">Whether the log was cut below that offset: an unclean leader election lost what was between.</param>
/// <param name="LogEnd">Where the log was cut; null where the client did not say.</param>
/// <param name="IsCertain">Whether the offset is final. Else the group is asked what it has committed: the client reports a truncation without its offset,
/// as it reports that none was committed.</param>
internal sealed partial record MissingOffset(long Offset, bool IsTruncated, long? LogEnd, bool IsCertain)
{
    // In the client's own words, so that another version's words are found, too.
    private static readonly string Truncation = new Error(ErrorCode.Local_LogTruncation).Reason;

    /// <summary>The group has committed none.</summary>
    public static readonly MissingOffset NoneCommitted = new(-1, IsTruncated: false, LogEnd: null, IsCertain: true);

    /// <summary>Whether the group had committed none, and so is new to the partition.</summary>
    public bool IsNewGroup => Offset < 0;

    public string EndText => LogEnd?.ToString(CultureInfo.InvariantCulture) ?? "(unknown)";

    /// <summary>Understands a report.</summary>
    /// <param name="offset">The offset in it; special where the client names none.</param>
    /// <param name="reason">Its text.</param>
    /// <param name="position">Where the partition stands; null where it has no position in this assignment yet.</param>
    public static MissingOffset Of(long offset, string reason, long? position)
    {
        if (offset >= 0)
        {
            return new MissingOffset(offset, reason.Contains(Truncation, StringComparison.Ordinal), Number(EndOffset(), reason), IsCertain: true);
        }

        // The text is for the message only: that there is a position decides.
        return position is { } known
            ? new MissingOffset(Number(DetectedAt(), reason) ?? known, IsTruncated: true, Number(EndOffset(), reason), IsCertain: true)
            : new MissingOffset(offset, IsTruncated: false, Number(EndOffset(), reason), IsCertain: false);
    }

    /// <summary>What the group answered: where it had committed, the log was truncated.</summary>
    public MissingOffset WithCommitted(long committed) => this with { Offset = Math.Max(committed, -1), IsTruncated = committed >= 0, IsCertain = true };

    private static long? Number(Regex pattern, string text) =>
        pattern.Match(text) is { Success: true } match && long.TryParse(
            match.Groups["number"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    [GeneratedRegex(@"broker end offset is (?<number>\d+)", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex EndOffset();

    [GeneratedRegex(@"detected at offset (?<number>\d+)", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex DetectedAt();
}
