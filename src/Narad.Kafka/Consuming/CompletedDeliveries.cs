namespace Narad.Kafka.Consuming;

/// <summary>
/// Carries finished messages from the workers back to the poll thread, which alone may store offsets. Thread-safe, lock-free, allocates nothing;
/// the order in which they are taken does not matter (the tracker goes by sequence number).
/// </summary>
internal sealed class CompletedDeliveries : IDisposable
{
    private readonly ManualResetEventSlim _arrived = new();
    private volatile bool _awaited;     // set by the poll thread only while it waits
    private Delivery? _top;

    public bool IsEmpty => Volatile.Read(ref _top) is null;

    public void Push(Delivery delivery)
    {
        var top = Volatile.Read(ref _top);
        while (true)
        {
            delivery.Next = top;
            var seen = Interlocked.CompareExchange(ref _top, delivery, top);
            if (ReferenceEquals(seen, top))
            {
                break;
            }

            top = seen;
        }

        Signal();
    }

    /// <summary>Wakes the poll thread where it waits for running handlers.</summary>
    public void Signal()
    {
        if (_awaited)
        {
            _arrived.Set();
        }
    }

    /// <summary>Takes all of them, as a chain of <see cref="Delivery.Next"/>.</summary>
    public Delivery? TakeAll() => Volatile.Read(ref _top) is null ? null : Interlocked.Exchange(ref _top, null);

    /// <summary>Waits until something was signalled, at most as long as given. Poll thread only.</summary>
    public void Wait(TimeSpan timeout)
    {
        _awaited = true;
        try
        {
            if (IsEmpty)
            {
                _arrived.Wait(timeout);
            }
        }
        finally
        {
            _awaited = false;
            _arrived.Reset();
        }
    }

    public void Dispose() => _arrived.Dispose();
}
