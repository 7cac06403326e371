using System.Runtime.InteropServices;

namespace Narad.Kafka.Failures;

/// <summary>Where a dead letter goes, or why it stays.</summary>
/// <param name="Route">Where; null: it stays.</param>
/// <param name="Reason">Why it stays.</param>
/// <param name="Explanation">The same in words.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct RedriveDecision(RedriveRoute? Route, SkippedReason Reason, string Explanation)
{
    public static RedriveDecision To(RedriveRoute route) => new(route, default, "");

    public static RedriveDecision No(SkippedReason reason, string explanation) => new(null, reason, explanation);
}
