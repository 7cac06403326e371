namespace Narad.Kafka.Producing;

/// <summary>Sends that nobody refers to any more, to be used again: the latest first, which the processor has at hand. Bounded; thread-safe.</summary>
internal sealed class SendPool
{
    private const int Limit = 65_536;

    private readonly Lock _lock = new();
    private readonly Stack<PendingSend> _free = new();

    public PendingSend Rent(SendQueue owner)
    {
        lock (_lock)
        {
            if (_free.TryPop(out var send))
            {
                return send;
            }
        }

        return new PendingSend(owner);
    }

    public void Return(PendingSend send)
    {
        lock (_lock)
        {
            if (_free.Count < Limit)
            {
                _free.Push(send);
            }
        }
    }
}
