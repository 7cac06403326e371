using System.Runtime.InteropServices;

namespace Narad.Kafka.Failures;

/// <summary>
/// What becomes of a message whose handling failed: <see cref="FailureAction.Retry"/> is one more retry in memory, after a wait,
/// <see cref="FailureAction.RetryLater"/> an attempt through the retry topic.
/// </summary>
/// <param name="Action">What becomes of it.</param>
/// <param name="Delay">How long a retry waits.</param>
/// <param name="IsLast">Whether no rule asked for the action: it is what is left when nothing else helps.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FailureDecision(FailureAction Action, TimeSpan Delay = default, bool IsLast = false);
