namespace Narad.Kafka;

/// <summary>How far a redrive is.</summary>
/// <param name="Sent">Sent again and acknowledged; in a dry run, would have been.</param>
/// <param name="FilteredOut">Left out by the filter.</param>
/// <param name="Skipped">Passed over: see <see cref="RedriveReport.Skipped"/>.</param>
/// <param name="Remaining">How many offsets are ahead, at most as many messages.</param>
public sealed record RedriveProgress(long Sent, long FilteredOut, long Skipped, long Remaining);
