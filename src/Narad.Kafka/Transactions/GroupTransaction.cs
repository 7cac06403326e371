using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Transactions;

/// <summary>
/// One transaction of a group: the messages that it is made of, and whether they may still begin and send. It never ends by itself: that is the
/// <see cref="TransactionBatcher"/>'s.
/// </summary>
/// <remarks>
/// Threading: made and ended by the poll thread; the flags are set by anybody and never reset, in this order.
/// <code>
///   open ──a failure, a revoke, a stop──▶ draining (nothing more begins) ──limit, partition lost──▶ cancelled ──▶ over (nothing more is sent)
/// </code>
/// </remarks>
internal sealed class GroupTransaction(ITransactionClient client, TransactionOutputs outputs, TimeProvider time, TimeSpan limit, ILogger logger)
{
    private readonly Lock _sending = new();
    private readonly CancellationTokenSource _cancellation = new();
    private readonly List<CancellationTokenRegistration> _assignments = [];
    private readonly long _started = time.GetTimestamp();

    // Each is set once.
    private volatile bool _draining;
    private volatile bool _failed;
    private volatile bool _expired;
    private volatile bool _poisoned;
    private volatile bool _over;

    public ITransactionClient Client { get; } = client;

    public TransactionOutputs Outputs { get; } = outputs;

    public TimeProvider Time { get; } = time;

    public TimeSpan Limit { get; } = limit;

    /// <summary>In the order in which they arrived, partition by partition. Poll thread only.</summary>
    public List<TransactionEntry> Entries { get; } = [];

    /// <summary>How many of each partition did not come back yet. Poll thread only.</summary>
    public Dictionary<AssignedPartition, int> Outstanding { get; } = [];

    /// <summary>The handlers' token: cancelled at the limit, and where one of its partitions is lost.</summary>
    public CancellationToken Token => _cancellation.Token;

    /// <summary>Whether it is of one message: then nobody else is to blame.</summary>
    public bool HasOneMessage { get; init; }

    /// <summary>Whether nothing more of it begins.</summary>
    public bool IsDraining => _draining;

    /// <summary>Whether it must be aborted, since something of it failed.</summary>
    public bool IsFailed => _failed;

    /// <summary>Whether something that was sent in it was refused.</summary>
    public bool IsPoisoned => _poisoned;

    /// <summary>Whether its limit passed.</summary>
    public bool IsExpired => _expired;

    /// <summary>Whether nothing more may be sent in it.</summary>
    public bool IsOver => _over;

    public TimeSpan Age => Time.GetElapsedTime(_started);

    public void StopAdding() => _draining = true;

    public void Fail()
    {
        _draining = true;
        _failed = true;
    }

    /// <summary>Something that was sent in it was refused: the client will only abort it now.</summary>
    public void Poison()
    {
        Fail();
        _poisoned = true;
    }

    public void Expire()
    {
        _expired = true;
        Cancel();
    }

    public void Cancel()
    {
        Fail();
        _cancellation.CancelInBackground(logger);
    }

    /// <summary>Cancels it with the assignment of a partition.</summary>
    public void Watch(AssignedPartition partition) => _assignments.Add(
        partition.Token.UnsafeRegister(static transaction => ((GroupTransaction)transaction!).Cancel(), this));

    /// <summary>Hands a message to the client, unless the transaction is over: the client has the next one then.</summary>
    public Error TryProduce(TopicPartition to, Message<byte[]?, byte[]?> message, Action<DeliveryReport<byte[]?, byte[]?>> report)
    {
        lock (_sending)
        {
            return _over ? new Error(ErrorCode.Local_State, "the transaction is over") : Client.TryProduce(to, message, report);
        }
    }

    /// <summary>Nothing more is sent in it from now on.</summary>
    public void End()
    {
        _draining = true;
        lock (_sending)
        {
            _over = true;
        }

        // What is registered on an assignment's token runs on the thread pool. On a busy machine it has not run yet, and would not any more.
        if (_assignments.Exists(static assignment => assignment.Token.IsCancellationRequested))
        {
            _cancellation.CancelInBackground(logger);
        }

        _assignments.ForEach(static assignment => assignment.Dispose());
    }
}
