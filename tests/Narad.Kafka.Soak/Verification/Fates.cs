namespace Narad.Kafka.Soak.Verification;

/// <summary>Which messages of a run fail, and how: drawn from their numbers, so that every member and the verifier agree without a word. Immutable.</summary>
/// <param name="InMemory">The retries in memory that a failure has before it goes to the retry topic.</param>
/// <param name="Delays">The waits before the attempts through the retry topic; there are as many as that.</param>
/// <param name="Shares">Of a thousand messages so many have such a fate; the rest succeeds.</param>
/// <param name="Seed">Chooses which.</param>
internal sealed record Fates(int InMemory, IReadOnlyList<TimeSpan> Delays, IReadOnlyList<(int Of1000, FateKind Kind, int Retries)> Shares, int Seed)
{
    /// <summary>Some of everything.</summary>
    public static Fates Mixed { get; } = new(
        1,
        [TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(5)],
        [(10, FateKind.Poison, 0), (15, FateKind.Fails, 3), (10, FateKind.Recovers, 1), (9, FateKind.Recovers, 2), (9, FateKind.Recovers, 3),
            (7, FateKind.Later, 1)],
        0);

    /// <summary>The fate of a message.</summary>
    public Fate Of(int key, int sequence)
    {
        var mixed = ((((ulong)(uint)key << 32) | (uint)sequence) + ((ulong)(uint)Seed << 20)) * 0x9E3779B97F4A7C15UL;
        mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9UL;
        var draw = (int)((mixed >> 32) % 1_000);
        foreach (var (share, kind, retries) in Shares)
        {
            if (draw < share)
            {
                return new Fate(this, kind, retries);
            }

            draw -= share;
        }

        return new Fate(this, FateKind.Succeeds, 0);
    }
}
