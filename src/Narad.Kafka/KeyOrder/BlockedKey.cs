namespace Narad.Kafka.KeyOrder;

/// <summary>What is known of one key of a partition pair. Written under the lock of its <see cref="BlockedKeys"/>.</summary>
internal sealed class BlockedKey(byte[] key)
{
    public byte[] Key => key;

    /// <summary>Its messages that are not finished and were forwarded, in the order in which they were sent: by their offset in the source topic.</summary>
    public SortedList<long, BlockedRecord> Records { get; } = [];

    /// <summary>The message of the source topic that is handled now; −1 where none is.</summary>
    public long Running { get; set; } = -1;

    /// <summary>How many of its records are started.</summary>
    public int Started { get; set; }

    /// <summary>The highest offset of a record that is finished, in the retry topic; −1 where no record or no commit is needed to remember that.</summary>
    public long FinishedOffset { get; set; } = -1;

    /// <summary>The highest original offset of a finished record; −1 where there is none.</summary>
    public long FinishedOrigin { get; set; } = -1;

    /// <summary>
    /// The highest original offset of those records that an assignment before wrote: what is at or below it in the source topic was seen to then. −1 where
    /// there is none.
    /// </summary>
    public long LastForwarded { get; set; } = -1;

    /// <summary>What was committed in the source partition when that one was written.</summary>
    public long LastForwardedCommitted { get; set; }

    /// <summary>Its timestamp in the source topic: where nothing was committed, a message that is younger is one of a topic that was created again.</summary>
    public long LastForwardedTimestamp { get; set; }

    /// <summary>
    /// The highest original offset of a record that was finished here since the source topic was read from somewhere else; −1 where there is none.
    /// </summary>
    public long ProcessedUpTo { get; private set; } = -1;

    /// <summary>Its timestamp in the source topic.</summary>
    public long ProcessedTimestamp { get; private set; }

    /// <summary>
    /// Whether a message of the source topic was handled in front of one that was forwarded or finished before. Then <see cref="ProcessedUpTo"/>
    /// would leave out the messages between them.
    /// </summary>
    public bool HandledEarlierMessage { get; set; }

    /// <summary>Since when nothing of it is under way, in milliseconds since 1970; null while something is.</summary>
    public long? RetiredAt { get; set; }

    /// <summary>A record is finished.</summary>
    public void AdvanceProcessed(long origin, long timestamp)
    {
        if (origin > ProcessedUpTo)
        {
            (ProcessedUpTo, ProcessedTimestamp) = (origin, timestamp);
        }
    }

    /// <summary>The source topic is read from somewhere else: what was seen to before says nothing.</summary>
    public void ForgetProcessed() => (ProcessedUpTo, LastForwarded) = (-1, -1);
}
