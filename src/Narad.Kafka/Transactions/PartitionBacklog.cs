using Narad.Kafka.Consuming;

namespace Narad.Kafka.Transactions;

/// <summary>
/// What arrived of one assigned partition and is in no committed transaction yet, in the order of sequence number. A transaction takes its first messages; they
/// leave when it is committed, and are the first again when it is aborted. Single-threaded: poll thread only.
/// </summary>
internal sealed class PartitionBacklog
{
    private readonly List<Delivery> _deliveries = [];
    private int _head;

    public int Count => _deliveries.Count - _head;

    /// <summary>How many of the first ones a transaction has.</summary>
    public int Taken { get; set; }

    /// <summary>
    /// How many are in their key queues without a transaction: one that the partition stopped at, and those whose handlers outlasted their transaction. Nothing
    /// begins before they are back.
    /// </summary>
    public int InKeyQueues { get; set; }

    public Delivery this[int index] => _deliveries[_head + index];

    public void Add(Delivery delivery)
    {
        // What was read a second time arrived before.
        var at = _deliveries.Count;
        while (at > _head + Taken && _deliveries[at - 1].Sequence > delivery.Sequence)
        {
            at--;
        }

        _deliveries.Insert(at, delivery);
    }

    /// <summary>The first ones, which a transaction had, are done.</summary>
    public void RemoveFirst(int count)
    {
        _head += count;
        Taken -= count;
        if (_head > 1_024 && _head > _deliveries.Count / 2)
        {
            _deliveries.RemoveRange(0, _head);
            _head = 0;
        }
    }
}
