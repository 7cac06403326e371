namespace Narad.Kafka.Transports;

/// <summary>Which topic an embedded broker deleted.</summary>
internal sealed class TopicDeletedEventArgs(string topic) : EventArgs
{
    public string Topic => topic;
}
