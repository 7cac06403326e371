using System.Collections.Concurrent;

namespace Narad.Kafka.Producing;

/// <summary>Sends that nobody refers to any more, to be used again. Bounded; thread-safe.</summary>
internal sealed class SendPool
{
    private const int Limit = 65_536;

    private readonly ConcurrentQueue<PendingSend> _free = new();
    private int _count;

    public PendingSend Rent(SendLine owner)
    {
        if (!_free.TryDequeue(out var send))
        {
            return new PendingSend(owner);
        }

        Interlocked.Decrement(ref _count);
        return send;
    }

    public void Return(PendingSend send)
    {
        if (Interlocked.Increment(ref _count) <= Limit)
        {
            _free.Enqueue(send);
        }
        else
        {
            Interlocked.Decrement(ref _count);
        }
    }
}
