namespace Narad.Kafka.Producing;

/// <summary>Where one send is. Changed under the lock of <see cref="SendQueue"/>.</summary>
internal enum SendStage
{
    /// <summary>In the pool, or not accepted yet.</summary>
    Free,

    /// <summary>In the queue, holding its place until its serializer or middleware is done.</summary>
    Preparing,

    /// <summary>In the queue, ready to go.</summary>
    Waiting,

    /// <summary>With the client, or answered by it.</summary>
    Sent,

    /// <summary>Left the queue unsent: cancelled, timed out, answered by middleware, or stopped.</summary>
    Left,
}
