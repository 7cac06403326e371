namespace Narad.Kafka.Consuming;

/// <summary>
/// Messages that must not overtake each other, in order: those of one key, of one partition, or a single one. The first stays in the key queue while
/// it runs or waits for a retry, so what is behind it waits too. Outlives an assignment: a new epoch's message waits for the old one's handler.
/// </summary>
/// <remarks>Written only under the lock of its <see cref="KeyQueueScheduler"/>, which also documents the states.</remarks>
internal sealed class KeyQueue
{
    private Delivery? _tail;

    public ulong Key { get; set; }

    public KeyQueueState State { get; set; }

    public Delivery? Head { get; private set; }

    public int Count { get; private set; }

    /// <summary>How many of the first messages the worker took (1, or a batch).</summary>
    public int Taken { get; set; }

    /// <summary>Whether it waits for its batch to fill, rather than for a retry.</summary>
    public bool Filling { get; set; }

    /// <summary>Whether its batch goes as it is: it waited long enough, or it is retried.</summary>
    public bool Flush { get; set; }

    /// <summary>Wakes it from <see cref="KeyQueueState.Waiting"/>.</summary>
    public ITimer? Timer { get; set; }

    public void Append(Delivery delivery)
    {
        if (_tail is null)
        {
            Head = delivery;
        }
        else
        {
            _tail.Next = delivery;
        }

        _tail = delivery;
        Count++;
    }

    /// <summary>While it runs: forgets what a partition brought and no worker took.</summary>
    public void ForgetUntaken(AssignedPartition partition)
    {
        var kept = Head!;
        for (var i = 1; i < Taken; i++)
        {
            kept = kept.Next!;
        }

        while (kept.Next is { } next)
        {
            if (ReferenceEquals(next.Partition, partition))
            {
                kept.Next = next.Next;
                next.Next = null;
                Count--;
            }
            else
            {
                kept = next;
            }
        }

        _tail = kept;
    }

    public Delivery RemoveHead()
    {
        var head = Head!;
        Head = head.Next;
        head.Next = null;
        if (Head is null)
        {
            _tail = null;
        }

        Count--;
        return head;
    }
}
