namespace Narad.Kafka.Producing;

/// <summary>
/// How far the line is with a topic whose broker refused a whole batch for its size. None → Learning (nothing of the topic goes: the client is drained and
/// the limit asked for) → Limited (no more than the limit with the client at a time, a larger message alone).
/// </summary>
internal enum BatchRefusal
{
    /// <summary>No batch was refused.</summary>
    None,

    /// <summary>One was; its messages are being collected.</summary>
    Learning,

    /// <summary>The topic's sends keep to <see cref="TopicLine.Window"/>.</summary>
    Limited,
}
