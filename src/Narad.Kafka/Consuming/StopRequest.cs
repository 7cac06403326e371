namespace Narad.Kafka.Consuming;

/// <summary>What a group was asked at shutdown.</summary>
internal sealed class StopRequest(long since, TimeSpan deadline)
{
    public long Since { get; } = since;

    /// <summary>How long handlers may run.</summary>
    public TimeSpan Deadline { get; } = deadline;

    /// <summary>Whether the deadline came. Written by the stopper, once it has read which handlers run; the poll thread then cancels these.</summary>
    public bool IsOver
    {
        get => Volatile.Read(ref field);
        set => Volatile.Write(ref field, value);
    }

    /// <summary>Whether the drain began. Written by the poll thread.</summary>
    public bool Begun { get; set; }

    /// <summary>Whether what waits in front of finished retries was moved out of the way. Poll thread only.</summary>
    public bool HasRepublished { get; set; }
}
