using Narad.Kafka.Consuming;

namespace Narad.Kafka.Failures;

/// <summary>
/// Which retry and dead-letter topics belong to which source topic, by their names or because a subscription of this service says so. Thread-safe.
/// </summary>
/// <param name="subscriptions">The service's subscriptions, as they are now.</param>
internal sealed class KnownFailureTopics(Func<IEnumerable<Subscription>> subscriptions)
{
    /// <summary>The retry topic of a group and source; null where this service does not know.</summary>
    public string? RetryTopicOf(string group, string source) => subscriptions().FirstOrDefault(subscription =>
        string.Equals(subscription.Settings.Group, group, StringComparison.Ordinal)
            && string.Equals(subscription.Settings.Retries?.Source, source, StringComparison.Ordinal))?.Topic;

    /// <summary>The topic that a retry topic is of; the topic itself where it is none.</summary>
    public string SourceOf(string topic) =>
        subscriptions().FirstOrDefault(subscription => subscription.Settings.Retries is not null
            && string.Equals(subscription.Topic, topic, StringComparison.Ordinal))?.Settings.Retries!.Source
        ?? (topic.EndsWith(FailureTopics.RetrySuffix, StringComparison.Ordinal) ? topic[..^FailureTopics.RetrySuffix.Length] : topic);

    /// <summary>Whether a topic holds dead letters.</summary>
    public bool IsDeadLetterTopic(string topic) =>
        topic.EndsWith(FailureTopics.DeadLetterSuffix, StringComparison.Ordinal)
        || subscriptions().Any(subscription => string.Equals(
            subscription.Settings.FailureTopics?.DeadLetterNameFor(subscription.Topic), topic, StringComparison.Ordinal));

    /// <summary>Whether the dead letters of a source topic go to this dead-letter topic.</summary>
    public bool IsSourceOf(string source, string deadLetterTopic) =>
        string.Equals(source + FailureTopics.DeadLetterSuffix, deadLetterTopic, StringComparison.Ordinal)
        || subscriptions().Any(subscription => subscription.Settings is { Retries: null, FailureTopics: { } failureTopics }
            && subscription.Covers(source)
            && !subscription.IsFailureTopic(source)
            && string.Equals(failureTopics.DeadLetterNameFor(source), deadLetterTopic, StringComparison.Ordinal));

    /// <summary>Whether records of failed messages go to a topic: it is no source of its own.</summary>
    public bool IsFailureTopic(string topic) =>
        topic.EndsWith(FailureTopics.RetrySuffix, StringComparison.Ordinal)
        || IsDeadLetterTopic(topic)
        || subscriptions().Any(subscription => subscription.Settings.Retries is not null && string.Equals(subscription.Topic, topic, StringComparison.Ordinal));
}
