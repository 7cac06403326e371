using System.Collections.Concurrent;

namespace Narad.Kafka.Producing;

/// <summary>Who waits, by topic, and whose turn is next: the earliest ticket among the topics that may go. It never decides whether one may.</summary>
/// <remarks>
/// Threading: <see cref="Of"/> and <see cref="Any"/> are thread-safe; the rest belongs to the lock of <see cref="SendLine"/>. A topic that nothing was sent to for long is forgotten where there
/// are many (<see cref="Forget"/>), so that an application that makes up topic names does not keep them all.
/// </remarks>
internal sealed class WaitingSends(bool ensures, bool asks)
{
    /// <summary>So many topics are kept, whether they are used or not.</summary>
    public const int Kept = 256;

    private readonly ConcurrentDictionary<string, TopicLine> _topics = new(StringComparer.Ordinal);
    private readonly HashSet<TopicLine> _waiting = [];

    // Of these, the topics that are not held: thousands may be, and the choice of the next is made for each send.
    private readonly List<TopicLine> _going = [];
    private volatile bool _any;
    private int _count;   // of _topics, at least: interlocked
    private int _mostTopics = 2 * Kept;
    private int _round;

    /// <summary>Whether anybody waits; read by reports, which else have nobody to wake.</summary>
    public bool Any => _any;

    /// <summary>The topics that somebody waits for.</summary>
    public IReadOnlyCollection<TopicLine> Lines => _waiting;

    public TopicLine Of(string topic) => _topics.TryGetValue(topic, out var line)
        ? line
        : Add(topic);

    /// <summary>How many topics are known.</summary>
    public int Count => _topics.Count;

    /// <summary>The topic's line that is in use: the one that was found may have been forgotten before the lock was taken.</summary>
    public TopicLine Current(TopicLine line)
    {
        if (line.IsForgotten)
        {
            line = Of(line.Topic);
        }

        line.Round = _round;
        return line;
    }

    /// <summary>Forgets the topics that nothing was sent to since the round before, where too many are known.</summary>
    /// <returns>Those that were forgotten; null where that was not due.</returns>
    public List<TopicLine>? Forget()
    {
        if (Volatile.Read(ref _count) <= _mostTopics)
        {
            return null;
        }

        var forgotten = _topics.Values.Where(line => line.Round != _round && line.IsIdle).ToList();
        foreach (var line in forgotten)
        {
            line.IsForgotten = true;
            _topics.TryRemove(line.Topic, out _);
        }

        _round++;
        Volatile.Write(ref _count, _topics.Count);
        _mostTopics = Math.Max(2 * Kept, 2 * _count);
        return forgotten;
    }

    private TopicLine Add(string topic)
    {
        Interlocked.Increment(ref _count);
        return _topics.GetOrAdd(topic, static (name, must) => new TopicLine(name, must.ensures, must.asks), (ensures, asks));
    }

    /// <summary>Puts a send where its ticket belongs.</summary>
    public void Insert(PendingSend send)
    {
        var line = send.Line;
        line.Waiting.AddByTicket(send);
        if (line.Waiting.Count == 1)
        {
            _waiting.Add(line);
            _any = true;
            Update(line);
        }
    }

    public void Remove(PendingSend send)
    {
        var line = send.Line;
        if (line.Waiting.Remove(send) && line.Waiting.Count == 0)
        {
            _waiting.Remove(line);
            _any = _waiting.Count > 0;
            Update(line);
        }
    }

    /// <summary>To be called whenever <see cref="TopicLine.Held"/> may have changed.</summary>
    public void Update(TopicLine line)
    {
        var goes = line.Waiting.Count > 0 && !line.Held;
        if (goes && line.Place < 0)
        {
            line.Place = _going.Count;
            _going.Add(line);
        }
        else if (!goes && line.Place >= 0)
        {
            var last = _going[^1];
            _going[line.Place] = last;
            last.Place = line.Place;
            _going.RemoveAt(_going.Count - 1);
            line.Place = -1;
        }
    }

    /// <summary>The earliest ticket among the topics that may go.</summary>
    public PendingSend? Next()
    {
        PendingSend? next = null;
        foreach (var line in _going)
        {
            if (line.Waiting.First is { Stage: SendStage.Waiting } first && (next is null || first.Ticket < next.Ticket) && line.MayGo(first))
            {
                next = first;
            }
        }

        return next;
    }
}
