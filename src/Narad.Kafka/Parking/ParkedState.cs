namespace Narad.Kafka.Parking;

/// <summary>Where a parked copy stands; see <see cref="KeyParking"/>.</summary>
internal enum ParkedState
{
    /// <summary>It was or is being written, and has not been read from the retry topic yet.</summary>
    Awaited,

    /// <summary>It was read, and is not due or not at its turn.</summary>
    Waiting,

    /// <summary>It is read a second time, in its lane, or in its handler.</summary>
    Started,

    /// <summary>It is finished, and the poll thread does not know yet.</summary>
    Done,
}
