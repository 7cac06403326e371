namespace Narad.Kafka.Benchmarks;

/// <summary>A measured row.</summary>
internal sealed record RowResult(string Work, string Unit, string Target, IReadOnlyList<EntryResult> Entries);

/// <summary>A contestant's medians. The ratios are the library's value over its value, round by round; null for the library itself.</summary>
internal sealed record EntryResult(
    string Name, double Median, double Lowest, double Highest, double? BytesPerMessage, double? Ratio, double? LowestRatio, double? HighestRatio);
