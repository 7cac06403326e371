using System.Runtime.InteropServices;

namespace Narad.Kafka.Soak.Books;

/// <summary>What becomes of a message when it is handled: drawn from its number, so that every member and the judge agree without a word. Of a thousand messages 10 are
/// poison and 50 fail: 15 always, 28 until their first, second or third attempt through the retry topic, 7 ask for another one in half a minute.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Fate(FateKind Kind, int Retries)
{
    /// <summary>The repetitions in memory that a failure has before it goes to the retry topic.</summary>
    public const int InMemory = 1;

    /// <summary>What a message that asks for more time asks for.</summary>
    public static readonly TimeSpan MuchLater = TimeSpan.FromSeconds(30);

    /// <summary>The waits before the attempts through the retry topic; there are as many as that.</summary>
    public static readonly IReadOnlyList<TimeSpan> Delays = [TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(5)];

    /// <summary>Whether it ends as a dead letter.</summary>
    public bool IsDeadLetter => Kind is FateKind.Poison or FateKind.Fails;

    /// <summary>The fate of a message.</summary>
    public static Fate Of(int key, int sequence)
    {
        var mixed = (((ulong)(uint)key << 32) | (uint)sequence) * 0x9E3779B97F4A7C15UL;
        mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9UL;
        var draw = (int)((mixed >> 32) % 1_000);
        return draw switch
        {
            < 10 => new Fate(FateKind.Poison, 0),
            < 25 => new Fate(FateKind.Fails, Delays.Count),
            < 53 => new Fate(FateKind.Recovers, 1 + ((draw - 25) % Delays.Count)),
            < 60 => new Fate(FateKind.Later, 1),
            _ => new Fate(FateKind.Succeeds, 0),
        };
    }

    /// <summary>Whether it fails at this attempt through the retry topic (0: the first time).</summary>
    public bool FailsAt(int retry) => Kind is FateKind.Poison or FateKind.Fails || retry < Retries;

    /// <summary>Invocations of an attempt that fails.</summary>
    public int Invocations => Kind is FateKind.Poison ? 0 : Kind is FateKind.Later ? 1 : 1 + InMemory;

    /// <summary>The wait before an attempt through the retry topic.</summary>
    public TimeSpan DelayBefore(int retry) => Kind is FateKind.Later ? MuchLater : Delays[retry - 1];
}
