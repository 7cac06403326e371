using System.Runtime.InteropServices;

namespace Narad.Kafka.Soak.Verification;

/// <summary>
/// A process that stood still for longer than its session: what its handlers did from when it stopped until it was told that its partitions are lost, or that
/// it has others. Another member has them by then. In ticks of <see cref="System.Diagnostics.Stopwatch"/>.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Zombie(int Member, long From, long Continued, long To)
{
    public bool Did(Handling handling) => handling.Member == Member && handling.Finished >= From && handling.Started <= To;
}
