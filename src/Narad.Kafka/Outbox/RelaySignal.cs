using System.Threading.Channels;

namespace Narad.Kafka.Outbox;

/// <summary>Wakes one waiter; a signal that comes while nobody waits is kept, and several of those are one. Thread-safe; one waiter at a time.</summary>
internal sealed class RelaySignal
{
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Set() => _signal.Writer.TryWrite(true);

    /// <summary>Completes with the next signal, after the timeout, or when it is cancelled; never throws.</summary>
    public async Task WaitAsync(TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!_signal.Reader.TryRead(out _))
        {
            using var elapsed = new CancellationTokenSource(timeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(elapsed.Token, cancellationToken);
            await ((Task)_signal.Reader.WaitToReadAsync(either.Token).AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _signal.Reader.TryRead(out _);
        }
    }
}
