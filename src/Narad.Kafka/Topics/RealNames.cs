using System.Collections.Concurrent;

namespace Narad.Kafka.Topics;

/// <summary>
/// Remembers which real topic a name stands for, so that each is checked once. Names may come from callers' data: at most 10,000 are kept, of at most 249
/// characters, which are about 10 MB. Thread-safe.
/// </summary>
internal sealed class RealNames(KafkaOptions options)
{
    private const int MostNames = 10_000;
    private const int MostCharacters = 249;

    private readonly ConcurrentDictionary<string, string> _names = new(StringComparer.Ordinal);
    private int _count;     // a little too high is possible, which only forgets them earlier

    /// <summary>How many are kept; for tests.</summary>
    public int Count => _names.Count;

    /// <summary>The real name of a topic.</summary>
    /// <exception cref="ArgumentException">It is no name of a topic.</exception>
    public string Of(string topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        if (_names.TryGetValue(topic, out var known))
        {
            return known;
        }

        var real = TopicName.Resolve(options, topic);
        if (topic.Length > MostCharacters)
        {
            return real;
        }

        if (Interlocked.Increment(ref _count) > MostNames)
        {
            _names.Clear();
            Volatile.Write(ref _count, 1);
        }

        return _names.GetOrAdd(topic, real);
    }
}
