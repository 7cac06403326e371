using System.Runtime.InteropServices;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Failures;

/// <summary>What becomes of a message whose handling failed, and after which wait.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FailureVerdict(OutcomeKind Kind, TimeSpan Delay = default);
