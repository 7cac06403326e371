namespace Narad.Kafka.Topics;

/// <summary>
/// The topics that the application declared (<see cref="KafkaOptions.Topics"/>), by their real names. Whoever creates one creates it as declared. Immutable.
/// </summary>
internal sealed class DeclaredTopics(KafkaOptions options)
{
    private readonly Dictionary<string, TopicSpec> _topics = WantedTopics.Declared(options, []).ToDictionary(static spec => spec.Name, StringComparer.Ordinal);

    public bool IsEmpty => _topics.Count == 0;

    public IReadOnlyCollection<TopicSpec> All => _topics.Values;

    public bool Contains(string topic) => _topics.ContainsKey(topic);

    /// <summary>A topic as it is to be created: what was not asked for is as declared.</summary>
    public TopicSpec Complete(TopicSpec wanted) => _topics.TryGetValue(wanted.Name, out var declared) ? WantedTopics.Both(wanted, declared) : wanted;
}
