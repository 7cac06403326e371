using System.Collections.Concurrent;

namespace Narad.Kafka.Producing;

/// <summary>Who waits, by topic, and whose turn is next: the earliest ticket among the topics that may go. It never decides whether one may.</summary>
/// <remarks>
/// Threading: <see cref="Of"/> and <see cref="Any"/> are thread-safe; the rest belongs to the lock of <see cref="SendQueue"/>. A topic that nothing was sent to
/// for long is forgotten where there are many (<see cref="Forget"/>), so that an application that makes up topic names does not keep them all.
/// </remarks>
internal sealed class WaitingSends(bool ensures, bool asks)
{
    /// <summary>So many topics are kept, whether they are used or not.</summary>
    public const int Kept = 256;

    private readonly ConcurrentDictionary<string, TopicQueue> _topics = new(StringComparer.Ordinal);
    private readonly HashSet<TopicQueue> _waiting = [];

    // Of these, the topics that are not held: thousands may be, and the choice of the next is made for each send.
    private readonly List<TopicQueue> _going = [];
    private volatile bool _any;
    private int _count;   // of _topics, at least: interlocked
    private int _mostTopics = 2 * Kept;
    private int _round;

    /// <summary>Whether anybody waits; read by reports, which else have nobody to wake.</summary>
    public bool Any => _any;

    /// <summary>The topics that somebody waits for.</summary>
    public IReadOnlyCollection<TopicQueue> Queues => _waiting;

    public TopicQueue Of(string topic) => _topics.TryGetValue(topic, out var queue)
        ? queue
        : Add(topic);

    /// <summary>How many topics are known.</summary>
    public int Count => _topics.Count;

    /// <summary>The topic's queue that is in use: the one that was found may have been forgotten before the lock was taken.</summary>
    public TopicQueue Current(TopicQueue queue)
    {
        if (queue.IsForgotten)
        {
            queue = Of(queue.Topic);
        }

        queue.Round = _round;
        return queue;
    }

    /// <summary>Forgets the topics that nothing was sent to since the round before, where too many are known.</summary>
    /// <returns>Those that were forgotten; null where that was not due.</returns>
    public List<TopicQueue>? Forget()
    {
        if (Volatile.Read(ref _count) <= _mostTopics)
        {
            return null;
        }

        var forgotten = _topics.Values.Where(queue => queue.Round != _round && queue.IsIdle).ToList();
        foreach (var queue in forgotten)
        {
            queue.IsForgotten = true;
            _topics.TryRemove(queue.Topic, out _);
        }

        _round++;
        Volatile.Write(ref _count, _topics.Count);
        _mostTopics = Math.Max(2 * Kept, 2 * _count);
        return forgotten;
    }

    private TopicQueue Add(string topic)
    {
        Interlocked.Increment(ref _count);
        return _topics.GetOrAdd(topic, static (name, must) => new TopicQueue(name, must.ensures, must.asks), (ensures, asks));
    }

    /// <summary>Puts a send where its ticket belongs.</summary>
    public void Insert(PendingSend send)
    {
        var queue = send.Queue;
        queue.Waiting.AddByTicket(send);
        if (queue.Waiting.Count == 1)
        {
            _waiting.Add(queue);
            _any = true;
            Update(queue);
        }
    }

    public void Remove(PendingSend send)
    {
        var queue = send.Queue;
        if (queue.Waiting.Remove(send) && queue.Waiting.Count == 0)
        {
            _waiting.Remove(queue);
            _any = _waiting.Count > 0;
            Update(queue);
        }
    }

    /// <summary>To be called whenever <see cref="TopicQueue.IsBlocked"/> may have changed.</summary>
    public void Update(TopicQueue queue)
    {
        var goes = queue.Waiting.Count > 0 && !queue.IsBlocked;
        if (goes && queue.Place < 0)
        {
            queue.Place = _going.Count;
            _going.Add(queue);
        }
        else if (!goes && queue.Place >= 0)
        {
            var last = _going[^1];
            _going[queue.Place] = last;
            last.Place = queue.Place;
            _going.RemoveAt(_going.Count - 1);
            queue.Place = -1;
        }
    }

    /// <summary>The earliest ticket among the topics that may go.</summary>
    public PendingSend? Next()
    {
        PendingSend? next = null;
        foreach (var queue in _going)
        {
            if (queue.Waiting.First is { Stage: SendStage.Waiting } first && (next is null || first.Ticket < next.Ticket) && queue.MayGo(first))
            {
                next = first;
            }
        }

        return next;
    }
}
