namespace Narad.Kafka.Outbox;

/// <summary>
/// A lease as its relay knows it: how long it may send. Reckoned by the elapsed time from before the renewal was asked for, so that it ends here before it ends
/// in the store, whatever the clocks say. Thread-safe.
/// </summary>
internal sealed class HeldLease(OutboxLease lease, TimeProvider time, long validUntil)
{
    private long _validUntil = validUntil;
    private volatile bool _isGivenUp;

    public OutboxLease Lease => lease;

    /// <summary>Whether a send may start now.</summary>
    public bool MaySend => !_isGivenUp && time.GetTimestamp() < Volatile.Read(ref _validUntil);

    /// <summary>Whether it was not given up.</summary>
    public bool IsWanted => !_isGivenUp;

    /// <summary>It was renewed.</summary>
    public void Extend(long validUntil) => Volatile.Write(ref _validUntil, validUntil);

    /// <summary>No more sends start, for good.</summary>
    public void GiveUp() => _isGivenUp = true;
}
