using Confluent.Kafka;

namespace Narad.Kafka.Transports;

/// <summary>One administration client of <see cref="AdminConnection"/>, with the number of calls that wait for its answers. Thread-safe.</summary>
internal sealed class AdminHandle(IAdminClient client, long built)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _idle;
    private int _calls;

    public IAdminClient Client => client;

    /// <summary>When it was built: a timestamp of the connection's clock.</summary>
    public long Built => built;

    /// <summary>Whether a broker accepted a connection at the address that the cluster names for it. Probes at the same time may find that out twice.</summary>
    public bool ReachedNamedBroker { get; set; }

    public void Acquire()
    {
        lock (_lock)
        {
            _calls++;
        }
    }

    public void Release()
    {
        TaskCompletionSource? idle = null;
        lock (_lock)
        {
            if (--_calls == 0)
            {
                idle = _idle;
            }
        }

        idle?.TrySetResult();
    }

    /// <summary>Completes when nothing waits for it any more. Each call has a time limit of its own, so this ends.</summary>
    public Task Idle()
    {
        lock (_lock)
        {
            _idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_calls == 0)
            {
                _idle.TrySetResult();
            }

            return _idle.Task;
        }
    }
}
