namespace Narad.Kafka.Parking;

/// <summary>One message of a parked key, by where it is in the retry topic. Written under the lock of its <see cref="KeyParking"/>.</summary>
internal sealed class ParkedCopy(ParkedKey key, long origin, long timestamp)
{
    public ParkedKey Key => key;

    /// <summary>Its place in the key's order: its offset in the source topic, of a stranger's one in front of all.</summary>
    public long Origin => origin;

    /// <summary>Its timestamp there, in milliseconds since 1970.</summary>
    public long Timestamp => timestamp;

    public ParkedState State { get; set; }

    /// <summary>Where it is in the retry topic; −1 while it is awaited for the first time.</summary>
    public long Offset { get; private set; } = -1;

    /// <summary>The highest offset that a copy of it had.</summary>
    public long LastOffset { get; private set; } = -1;

    /// <summary>Whether another copy of it is on its way.</summary>
    public bool IsBeingWritten { get; set; }

    /// <summary>
    /// Where the latest copy of it was written; it is read before the message is handled, so that it is not found later by somebody who does not know
    /// that.
    /// </summary>
    public long WrittenAt { get; set; } = -1;

    /// <summary>Whether nothing of it is to be read any more.</summary>
    public bool IsWhole => !IsBeingWritten && WrittenAt <= LastOffset;

    public long Arrival { get; private set; }

    /// <summary>Which attempt it is for; while it is awaited, the one that is awaited.</summary>
    public int Attempt { get; set; }

    /// <summary>In milliseconds since 1970.</summary>
    public long Due { get; set; }

    /// <summary>When it is at its turn, as far as its own time goes: what is only to be finished waits for nothing.</summary>
    public long TurnAt => IsRepeat ? 0 : Due;

    /// <summary>When it may be moved to the end of the topic, if it stands in the way.</summary>
    public long HopAt { get; private set; }

    /// <summary>Whether it is to be dead-lettered with its key.</summary>
    public bool IsDoomed { get; set; }

    /// <summary>Whether its message was finished before: it is finished unhandled when it is at its turn.</summary>
    public bool IsRepeat { get; set; }

    /// <summary>Whether no member of the group is known to have written it; see <see cref="ParkedRecord.Stranger"/>.</summary>
    public bool IsStranger { get; init; }

    /// <summary>A copy for a later attempt that was read while this one is not finished.</summary>
    public ParkedRecord? Later { get; set; }

    public void Read(in ParkedRecord record, long hopAt)
    {
        Offset = record.Offset;
        Arrival = record.Arrival;
        Attempt = record.Attempt;
        Due = record.Due;
        HopAt = hopAt;
        State = ParkedState.Waiting;
        Touch(record.Offset);
    }

    public void Touch(long offset) => LastOffset = Math.Max(LastOffset, offset);
}
