using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>What a committed offset's metadata says is finished ahead of it, whichever topic it names.</summary>
internal static class RecordedAhead
{
    private const int TopicId = 3;

    /// <summary>How many offsets; null where it names none.</summary>
    public static long? CountOf(CommittedOffset committed) =>
        FinishedAhead.Read(committed.Metadata, committed.Offset, committed.Metadata?.Split(';').ElementAtOrDefault(TopicId), out _)?.Count;
}
