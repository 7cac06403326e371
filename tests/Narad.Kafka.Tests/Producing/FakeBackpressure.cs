using Confluent.Kafka;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Producing;

/// <summary>Holds topic "limited" back.</summary>
internal sealed class FakeBackpressure : ISendBackpressure
{
    private TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Room { get; set; }

    public int Acknowledgements { get; private set; }

    public int Failures { get; private set; }

    /// <summary>How many acknowledgements it throws at.</summary>
    public int Faults { get; set; }

    public void Open(int room)
    {
        Room = room;
        var opened = _opened;
        _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
        opened.SetResult();
    }

    public bool TryEnter(string topic, int bytes) => topic != "limited" || Room-- > 0;

    public Task WaitAsync(string topic, CancellationToken cancellationToken) => _opened.Task.WaitAsync(cancellationToken);

    public string Describe(string topic) => "the backpressure";

    public void Acknowledged(string topic, int partition, long offset, int bytes)
    {
        if (Faults-- > 0)
        {
            throw new InvalidOperationException("an error of the backpressure");
        }

        Acknowledgements++;
    }

    public void Failed(string topic, int bytes) => Failures++;

    public void GroupReads(string group, string topic, Func<TopicPartition, long?>? finished = null)
    {
        // No group reads here.
    }
}
