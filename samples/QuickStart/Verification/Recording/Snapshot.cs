using Narad.Kafka;

namespace QuickStart.Verification.Recording;

/// <summary>The record at one moment.</summary>
/// <param name="Mode">Where messages go; in Console acknowledged means only logged.</param>
/// <param name="Sent">Lines handed to <c>SendAsync</c>.</param>
/// <param name="Acknowledged">Of those, how many the broker has acknowledged.</param>
/// <param name="Handled">Different lines of this run that this process has handled.</param>
/// <param name="Foreign">Messages handled here that this run did not send.</param>
/// <param name="Duplicates">How often a line was handled again here.</param>
/// <param name="OutOfOrder">Lines handled for the first time after a later line of the same key.</param>
/// <param name="Lost">What would be lost if the run ended now: acknowledged, not handled here and not covered by the group.</param>
/// <param name="Elapsed">From the first send to the latest acknowledgement or handled line.</param>
/// <param name="PerSecond">Lines handled a second (in Console: sent); null before the first.</param>
/// <param name="P50">The median from <c>SendAsync</c> to the handler's entry; null while nothing was handled.</param>
/// <param name="P99">The same for all but the slowest hundredth.</param>
internal sealed record Snapshot(
    KafkaMode Mode,
    long Sent,
    long Acknowledged,
    long Handled,
    long Foreign,
    long Duplicates,
    long OutOfOrder,
    long Lost,
    TimeSpan Elapsed,
    double? PerSecond,
    TimeSpan? P50,
    TimeSpan? P99);
