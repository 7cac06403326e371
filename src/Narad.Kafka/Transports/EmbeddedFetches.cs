using System.Collections.Concurrent;

namespace Narad.Kafka.Transports;

/// <summary>
/// How long the embedded broker waits for messages before it answers a fetch. It answers at the end of the wait, also where messages come earlier, so the wait
/// is what a message is late at most; and each fetch costs processor time for every topic. So the wait grows with the number of consumers and topics: a few of
/// them are quick, and many of them cost no more than a few. Thread-safe.
/// </summary>
internal sealed class EmbeddedFetches
{
    public static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(10);
    public static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(500);

    private const int QuickConsumers = 4;
    private const int TopicsOfAStep = 10;

    private readonly ConcurrentDictionary<(object Owner, string Group), bool> _consumers = new();

    /// <summary>The wait for a consumer that is about to be built.</summary>
    /// <param name="owner">Whose consumer it is.</param>
    /// <param name="group">Its group.</param>
    /// <param name="topics">The number of topics of the broker.</param>
    public TimeSpan WaitFor(object owner, string group, int topics)
    {
        _consumers.TryAdd((owner, group), true);
        var wait = ShortestWait * Math.Max(1, _consumers.Count - QuickConsumers + 1) * (1 + (topics / TopicsOfAStep));
        return wait < LongestWait ? wait : LongestWait;
    }

    /// <summary>The consumers of an owner are gone.</summary>
    public void Forget(object owner)
    {
        foreach (var consumer in _consumers.Keys.Where(consumer => ReferenceEquals(consumer.Owner, owner)))
        {
            _consumers.TryRemove(consumer, out _);
        }
    }
}
