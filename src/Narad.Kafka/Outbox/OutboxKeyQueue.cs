namespace Narad.Kafka.Outbox;

/// <summary>The messages of one key that a relay has read, lowest sequence number first. Taken from by the key's task, trimmed by its bucket.
/// Thread-safe.</summary>
internal sealed class OutboxKeyQueue(long keyHash, IEnumerable<OutboxRow> rows)
{
    private readonly Lock _lock = new();
    private readonly Queue<OutboxRow> _rows = new(rows);
    private bool _isSending;
    private long _sendingSince;

    public long KeyHash => keyHash;

    /// <summary>How many are in memory, the one on its way included.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _rows.Count + (_isSending ? 1 : 0);
            }
        }
    }

    /// <summary>The next message; null where there is none.</summary>
    public OutboxRow? Next(long now)
    {
        lock (_lock)
        {
            _isSending = _rows.TryDequeue(out var row);
            _sendingSince = now;
            return row;
        }
    }

    /// <summary>Forgets what has not been sent. It is still in the store, and read again.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _rows.Clear();
            _isSending = false;
        }
    }

    /// <summary>Forgets what waits behind a message that has been on its way since before: its key waits for long, and others need the room.</summary>
    public void TrimIfSlow(long before)
    {
        lock (_lock)
        {
            if (_isSending && _sendingSince < before)
            {
                _rows.Clear();
            }
        }
    }
}
