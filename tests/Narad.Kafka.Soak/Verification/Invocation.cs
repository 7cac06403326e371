using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Narad.Kafka.Soak.Verification;

/// <summary>One handler that finished, in a run where handlers fail.</summary>
/// <param name="Handling">Which message, where and when.</param>
/// <param name="Retry">The attempt through the retry topic: 0 from the topic itself.</param>
/// <param name="Attempt">1, or 2 for the retry in memory.</param>
/// <param name="Failed">Whether it threw.</param>
/// <param name="At">When it began, in milliseconds since 1970.</param>
/// <param name="Log">Topic and partition of what was in hand: the message, or its retry record.</param>
/// <param name="Offset">Its offset there.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Invocation(Handling Handling, int Retry, int Attempt, bool Failed, long At, string Log, long Offset)
{
    /// <summary>When it returned or threw, in milliseconds since 1970.</summary>
    public long FinishedAt => At + (long)Stopwatch.GetElapsedTime(Handling.Started, Handling.Finished).TotalMilliseconds;
}
