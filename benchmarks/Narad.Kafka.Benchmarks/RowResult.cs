namespace Narad.Kafka.Benchmarks;

/// <summary>A measured row.</summary>
internal sealed record RowResult(string Name, string Work, string Unit, IReadOnlyList<EntryResult> Entries, IReadOnlyList<TargetResult> Targets);

/// <summary>A candidate's medians. The ratios are the library's value over its value, round by round; null for the library itself.</summary>
internal sealed record EntryResult(
    string Name, double Median, double Lowest, double Highest, double? BytesPerMessage, double? MicrosecondsPerMessage, double? Ratio, double? LowestRatio,
        double? HighestRatio);

/// <summary>What the design asks, and what came out.</summary>
internal sealed record TargetResult(string What, string Bound, double Limit, double Measured, bool Met);
