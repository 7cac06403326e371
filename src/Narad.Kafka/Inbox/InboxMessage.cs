namespace Narad.Kafka;

/// <summary>What identifies a message to an inbox: group, source topic and id. Two topics of one group may have messages of the same id.</summary>
/// <param name="Group">The consumer group.</param>
/// <param name="Topic">The source topic, also of a message that came through a retry topic.</param>
/// <param name="Id">The message id.</param>
/// <param name="Coordinates">Where the message was when it arrived first: noted, not part of the identity.</param>
/// <param name="Retention">How long the note is kept.</param>
/// <param name="HandlerTimeout">The time limit of the handler; null: none.</param>
public sealed record InboxMessage(string Group, string Topic, string Id, TopicPartitionOffsetId Coordinates, TimeSpan Retention,
    TimeSpan? HandlerTimeout = null);
