namespace Narad.Kafka.KeyOrder;

/// <summary>One message of a blocked key, by where it is in the retry topic. Written under the lock of its <see cref="BlockedKeys"/>.</summary>
internal sealed class BlockedRecord(BlockedKey key, long origin, long timestamp)
{
    public BlockedKey Key => key;

    /// <summary>Its place in the key's order: its offset in the source topic, of a stranger's one in front of all.</summary>
    public long Origin => origin;

    /// <summary>Its timestamp there, in milliseconds since 1970.</summary>
    public long Timestamp => timestamp;

    public BlockedRecordState State { get; set; }

    /// <summary>Where it is in the retry topic; −1 while it is awaited for the first time.</summary>
    public long Offset { get; private set; } = -1;

    /// <summary>The highest offset that a record of it had.</summary>
    public long LastOffset { get; private set; } = -1;

    /// <summary>Whether another record of it is on its way.</summary>
    public bool IsBeingWritten { get; set; }

    /// <summary>
    /// Where the latest record of it was written; it is read before the message is handled, so that it is not found later by somebody who does not know
    /// that.
    /// </summary>
    public long WrittenAt { get; set; } = -1;

    /// <summary>Whether nothing of it is to be read any more.</summary>
    public bool IsReadToLatest => !IsBeingWritten && WrittenAt <= LastOffset;

    public long Sequence { get; private set; }

    /// <summary>Which attempt it is for; while it is awaited, the one that is awaited.</summary>
    public int Attempt { get; set; }

    /// <summary>In milliseconds since 1970.</summary>
    public long Due { get; set; }

    /// <summary>When it is at its turn, as far as its own time goes: what is only to be finished waits for nothing.</summary>
    public long TurnAt => IsDuplicate ? 0 : Due;

    /// <summary>When it may be moved to the end of the topic, if it stands in the way.</summary>
    public long RepublishAt { get; private set; }

    /// <summary>Whether it is to be dead-lettered with its key.</summary>
    public bool IsToBeDeadLettered { get; set; }

    /// <summary>Whether its message was finished before: it is finished unhandled when it is at its turn.</summary>
    public bool IsDuplicate { get; set; }

    /// <summary>Whether no member of the group is known to have written it; see <see cref="StoredRecord.Stranger"/>.</summary>
    public bool IsStranger { get; init; }

    /// <summary>A record for a later attempt that was read while this one is not finished.</summary>
    public StoredRecord? Later { get; set; }

    public void Read(in StoredRecord record, long republishAt)
    {
        Offset = record.Offset;
        Sequence = record.Sequence;
        Attempt = record.Attempt;
        Due = record.Due;
        RepublishAt = republishAt;
        State = BlockedRecordState.Waiting;
        Touch(record.Offset);
    }

    public void Touch(long offset) => LastOffset = Math.Max(LastOffset, offset);
}
