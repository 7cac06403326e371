using System.Runtime.InteropServices;

namespace Narad.Kafka.Soak.Verification;

/// <summary>What becomes of a message when it is handled, by the policy of its run.</summary>
/// <param name="Policy">The run's.</param>
/// <param name="Kind">What becomes of it.</param>
/// <param name="Retries">The attempts through the retry topic that it needs, or has.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Fate(Fates Policy, FateKind Kind, int Retries)
{
    /// <summary>What a message that asks for more time asks for.</summary>
    public static readonly TimeSpan MuchLater = TimeSpan.FromSeconds(30);

    /// <summary>Whether it ends as a dead letter.</summary>
    public bool IsDeadLetter => Kind is FateKind.Poison or FateKind.Fails;

    /// <summary>Whether it fails at this attempt through the retry topic (0: the first time).</summary>
    public bool FailsAt(int retry) => IsDeadLetter || retry < Retries;

    /// <summary>Invocations of an attempt that fails.</summary>
    public int Invocations => Kind is FateKind.Poison ? 0 : Kind is FateKind.Later ? 1 : 1 + Policy.InMemory;

    /// <summary>The wait before an attempt through the retry topic.</summary>
    public TimeSpan DelayBefore(int retry) => Kind is FateKind.Later ? MuchLater : Policy.Delays[retry - 1];
}
