namespace Narad.Kafka.Benchmarks;

/// <summary>The message of every comparison: about 110 bytes of JSON.</summary>
internal sealed record UserEvent(string UserId, string Action, string Page, int Sequence, double Amount, bool Returning)
{
    public const int Keys = 1_024;

    /// <summary>Made beforehand, so that making them is not measured; as many as there are keys.</summary>
    public static readonly UserEvent[] Samples =
    [
        .. Enumerable.Range(0, Keys)
        .Select(n => new UserEvent($"user-{n:0000}", n % 2 == 0 ? "viewed" : "bought", $"/products/{n * 37}", n, n * 1.25, n % 3 == 0)),
    ];
}
