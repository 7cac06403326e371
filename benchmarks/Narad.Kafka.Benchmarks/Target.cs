namespace Narad.Kafka.Benchmarks;

/// <summary>One figure that the design asks of a row.</summary>
internal sealed record Target(string What, double Limit, bool AtMost, Func<IReadOnlyList<EntryResult>, double> Measured)
{
    /// <summary>The library's value over that of the candidate with this number.</summary>
    public static Target Ratio(string what, double limit, int against, bool atMost = false) =>
        new(what, limit, atMost, entries => entries[against].Ratio!.Value);

    /// <summary>The library's own value.</summary>
    public static Target Value(string what, double atLeast) => new(what, atLeast, AtMost: false, static entries => entries[0].Median);

    /// <summary>What the library allocates a message.</summary>
    public static Target Bytes(double atMost) => new("B/msg", atMost, AtMost: true, static entries => entries[0].BytesPerMessage!.Value);

    public TargetResult Evaluate(IReadOnlyList<EntryResult> entries)
    {
        var measured = Measured(entries);
        return new TargetResult(What, AtMost ? "at most" : "at least", Limit, measured, AtMost ? measured <= Limit : measured >= Limit);
    }
}
