using System.Runtime.InteropServices;

namespace Narad.Kafka.Consuming;

/// <summary>How an invocation ended: so many messages are finished, and this became of the next one.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Outcome(int Finished, OutcomeKind Next = OutcomeKind.None, TimeSpan Delay = default, Exception? Error = null)
{
    public static Outcome One => new(1);
}
