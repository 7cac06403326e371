namespace Narad.Kafka;

/// <summary>How far a redrive is.</summary>
/// <param name="Sent">Sent again and acknowledged; in a dry run, would have been.</param>
/// <param name="NotMatching">Left out by the filter.</param>
/// <param name="PassedOver">Passed over: see <see cref="RedriveReport.PassedOver"/>.</param>
/// <param name="Remaining">How many offsets are ahead, at most as many messages.</param>
public sealed record RedriveProgress(long Sent, long NotMatching, long PassedOver, long Remaining);
