namespace Narad.Kafka.Soak.Verification;

/// <summary>What became of every message, and whether the order of each key held.</summary>
internal sealed record KeyOrderVerdict(FailuresVerdict Failures, KeyOrder Order) : IVerdict
{
    public bool IsClean => Failures.IsClean && Order.IsClean;

    public IReadOnlyList<string> Examples => [.. Order.Examples, .. Failures.Examples];

    public string Columns =>
        $"skipped | not followed (after a record of a process that had stood still) | overtook | at once (with a process that had stood still) | "
            + $"{Failures.Columns}";

    public string Row =>
        $"{Order.Skipped} | {Order.NotFollowed} ({Order.NotFollowedAfterZombies}) | {Order.Overtook} | {Order.AtOnce} ({Order.AtOnceWithZombies}) | "
            + $"{Failures.Row}";

    public override string ToString() => $"{Order}\n{Failures}";
}
