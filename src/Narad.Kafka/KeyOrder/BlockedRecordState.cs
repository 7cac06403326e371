namespace Narad.Kafka.KeyOrder;

/// <summary>Where a blocked record stands; see <see cref="BlockedKeys"/>.</summary>
internal enum BlockedRecordState
{
    /// <summary>It was or is being written, and has not been read from the retry topic yet.</summary>
    Awaited,

    /// <summary>It was read, and is not due or not at its turn.</summary>
    Waiting,

    /// <summary>It is read a second time, in its key queue, or in its handler.</summary>
    Started,

    /// <summary>It is finished, and the poll thread does not know yet.</summary>
    Done,
}
