namespace Narad.Kafka.Soak.Verification;

/// <summary>What is known about the messages of one key. Thread-safe: everything under its own lock.</summary>
internal sealed class KeyRecord
{
    private readonly Lock _lock = new();
    private readonly List<SendOutcome> _sends = [];
    private readonly HashSet<int> _handled = [];

    public int Next()
    {
        lock (_lock)
        {
            _sends.Add(SendOutcome.Open);
            return _sends.Count - 1;
        }
    }

    public void Settle(int sequence, SendOutcome outcome)
    {
        lock (_lock)
        {
            _sends[sequence] = outcome;
        }
    }

    public bool Handle(int sequence)
    {
        lock (_lock)
        {
            return _handled.Add(sequence);
        }
    }

    public bool IsHandled(int sequence)
    {
        lock (_lock)
        {
            return _handled.Contains(sequence);
        }
    }

    public SendOutcome[] Sends()
    {
        lock (_lock)
        {
            return [.. _sends];
        }
    }
}
