using System.Runtime.InteropServices;

namespace Narad.Kafka.Failures;

/// <summary>
/// What becomes of a message whose handling failed: <see cref="FailureAction.Retry"/> is one more retry in memory, after a wait,
/// <see cref="FailureAction.RetryLater"/> an attempt through the retry topic.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FailureDecision(FailureAction Action, TimeSpan Delay = default);
