using System.Collections.Concurrent;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Consuming;

/// <summary>
/// What a group was asked at shutdown: until when, and what did not stop by then. Written by the poll thread, but for its creation; read by the
/// stopper after the loop ended or at the deadline.
/// </summary>
internal sealed class StopRequest(long since, TimeSpan deadline)
{
    public long Since { get; } = since;

    public TimeSpan Deadline { get; } = deadline;

    public ConcurrentBag<string> Abandoned { get; } = [];

    public bool Begun { get; set; }

    /// <summary>Whether what waits in front of finished retries was moved out of the way.</summary>
    public bool Moved { get; set; }

    public void Abandon(AssignedPartition partition, int running, string group) =>
        Abandoned.Add($"{running} handler(s) of {partition.Id} in group '{group}' did not finish within {Duration.Text(Deadline)}: their messages "
            + "stay uncommitted");
}
