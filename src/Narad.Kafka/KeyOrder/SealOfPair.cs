namespace Narad.Kafka.KeyOrder;

/// <summary>
/// Which seal a partition pair's records are signed and checked with, and whether the broker has it: before that no record is written that the next member
/// would have to believe. Thread-safe: one lock.
/// </summary>
/// <remarks>
/// <code>
///   New ──the group committed one──▶ Committed
///    │                                  │ the source partition is read from somewhere else: a new seal
///    └──committed by us──▶ Committed ◀──┴──committed by us── New
/// </code>
/// </remarks>
internal sealed class SealOfPair
{
    private readonly Lock _lock = new();
    private RetrySeal _seal = RetrySeal.New();
    private bool _isCommitted;
    private bool _isNeeded = true;      // false where the client cannot commit metadata
    private long? _found;               // the offset that was committed without a seal

    /// <summary>What records are signed and checked with.</summary>
    public RetrySeal Seal
    {
        get
        {
            lock (_lock)
            {
                return _seal;
            }
        }
    }

    /// <summary>Whether records may be written.</summary>
    public bool IsReady
    {
        get
        {
            lock (_lock)
            {
                return _isCommitted || !_isNeeded;
            }
        }
    }

    /// <summary>The offset that the group had committed in the source partition without a seal; null where it had none.</summary>
    public long? Found
    {
        get
        {
            lock (_lock)
            {
                return _found;
            }
        }
    }

    /// <summary>What the group committed in the source partition is known; a null <paramref name="offset"/>: nothing.</summary>
    /// <returns>Whether it is the group's own commit, with a seal.</returns>
    public bool Learn(long? offset, string? metadata)
    {
        lock (_lock)
        {
            if (offset is { } committed && RetrySeal.Of(metadata, committed) is { } seal)
            {
                (_seal, _isCommitted, _found) = (seal, true, null);
                return true;
            }

            _found = offset;
            return false;
        }
    }

    /// <summary>The same pair in another assignment of its retry partition.</summary>
    public void Inherit(SealOfPair other)
    {
        lock (_lock)
        {
            (_seal, _isCommitted, _isNeeded, _found) = (other.Seal, other.IsReady, other._isNeeded, other.Found);
        }
    }

    /// <summary>The client cannot commit metadata: nothing will be believed, and nothing waits for that.</summary>
    public void GiveUp()
    {
        lock (_lock)
        {
            _isNeeded = false;
        }
    }

    /// <summary>What was written up to now is not to be believed any more.</summary>
    public void Renew()
    {
        lock (_lock)
        {
            (_seal, _isCommitted, _found) = (RetrySeal.New(), false, null);
        }
    }

    /// <summary>The broker has it.</summary>
    public void Committed()
    {
        lock (_lock)
        {
            _isCommitted = true;
        }
    }
}
