using Narad.Kafka.Consuming;
using Narad.Kafka.Failures;

namespace Narad.Kafka.Transactions;

/// <summary>
/// One message in one transaction: its handler sends through the entry, and the entry keeps the result. A message that is handled again gets a new entry, so
/// a handler that kept the old one can no longer send through it.
/// </summary>
/// <remarks>Threading: written by the worker that runs the message. The poll thread reads it after the message came back. Sending is thread-safe.</remarks>
internal sealed class TransactionEntry : IMessageSender
{
    private readonly Lock _lock = new();
    private long _startedAt;
    private Task _placed = Task.CompletedTask;     // under the lock: the latest send's place is behind it
    private List<Task<SendResult>>? _sends;        // under the lock: of a message that is alone, those that nobody may have awaited
    private volatile bool _closed;
    private volatile KafkaSendException? _refused;

    public TransactionEntry(GroupTransaction transaction, Delivery delivery)
    {
        Transaction = transaction;
        Delivery = delivery;
        Partition = delivery.Partition;
        Offset = delivery.Offset;
    }

    public GroupTransaction Transaction { get; }

    /// <summary>Its message. The object is reused for another message as soon as the partition is not current any more.</summary>
    public Delivery Delivery { get; }

    public AssignedPartition Partition { get; }

    public long Offset { get; }

    public TransactionEntryState State { get; private set; }

    /// <summary>The decision of the failure policy, where the message failed.</summary>
    public FailureDecision Decision { get; private set; }

    /// <summary>Why it failed.</summary>
    public Exception? Error { get; private set; }

    /// <summary>Logs and counts the result after the transaction is committed. Runs on the thread pool.</summary>
    public Action? Committed { get; set; }

    /// <summary>Whether it came back from its key queue. Poll thread only.</summary>
    public bool IsBack { get; set; }

    /// <summary>The error of the first refused send of this message; null where no send was refused.</summary>
    public KafkaSendException? Refused => _refused;

    /// <summary>Whether its handler was at work for half of the limit or more.</summary>
    public bool UsedHalfOfLimit => Transaction.Time.GetElapsedTime(_startedAt) >= Transaction.Limit / 2;

    public IMessageRoutes Routes => Transaction.Outputs.Routes;

    public TimeSpan Limit => Transaction.Limit;

    /// <summary>Starts the message for a worker; returns false where the transaction starts no more messages.</summary>
    public bool TryStart()
    {
        if (Transaction.IsDraining)
        {
            return false;
        }

        _startedAt = Transaction.Time.GetTimestamp();
        State = TransactionEntryState.Running;
        return true;
    }

    /// <summary>
    /// Its handler returned. Sends that the handler did not await belong to the transaction, so this waits until the client has them. If the message is the
    /// only one of its transaction, this also waits for the broker's answers, and throws if a send failed.
    /// </summary>
    public async ValueTask ReturnedAsync()
    {
        _closed = true;
        Task placed;
        lock (_lock)
        {
            placed = _placed;
        }

        if (!placed.IsCompleted)
        {
            await placed.ConfigureAwait(false);   // nobody else sees it fail
        }

        if (Transaction.HasOneMessage)
        {
            Task<SendResult>[] sends;
            lock (_lock)
            {
                sends = _sends is null ? [] : [.. _sends];
            }

            await Task.WhenAll(sends).ConfigureAwait(false);
        }

        if (Transaction.IsExpired && UsedHalfOfLimit)
        {
            throw TooSlow(cause: null);
        }
    }

    /// <summary>Marks the message as succeeded, or to be run again if its token was cancelled.</summary>
    public void Finish()
    {
        _closed = true;
        if (State is TransactionEntryState.Waiting or TransactionEntryState.Running)
        {
            State = Transaction.Token.IsCancellationRequested ? TransactionEntryState.RunAgain : TransactionEntryState.Succeeded;
        }
    }

    /// <summary>
    /// Its handler failed: returns whether the failure counts, and may replace the error. Otherwise the message runs again, and the invocation does not count.
    /// </summary>
    public bool CountsAsFailure(ref Exception error)
    {
        _closed = true;
        var cancelled = Transaction.Token.IsCancellationRequested;
        Transaction.Fail();   // before the key queue continues, so that the next message does not begin
        if (cancelled)
        {
            if (Transaction.IsExpired && UsedHalfOfLimit)
            {
                error = TooSlow(error);
                return true;
            }

            State = TransactionEntryState.RunAgain;
            return false;
        }

        if (_refused is { } refused)
        {
            // The cause may be Kafka, or another message in the same producer batch, and not this message.
            State = refused.Retriable ? TransactionEntryState.RunAgain : TransactionEntryState.Suspect;
            return !refused.Retriable && Transaction.HasOneMessage;
        }

        if (IsConsequence(error))
        {
            State = TransactionEntryState.RunAgain;
            return false;
        }

        return true;
    }

    public void Decide(FailureDecision decision, Exception error)
    {
        Decision = decision;
        Error = error;
        State = TransactionEntryState.Failed;
    }

    /// <summary>Its dead letter could not be sent.</summary>
    public void PublishFailed(TimeSpan delay, Exception error)
    {
        Transaction.Fail();
        Decide(new FailureDecision(FailureAction.DeadLetter, delay), error);
    }

    public ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key, SendOptions? options, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        return Transaction.Outputs.SendAsync(this, topic, message, typeof(T), key, options, cancellationToken);
    }

    public ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        return Transaction.Outputs.SendAsync(this, topic, message: null, typeof(object), key, options, cancellationToken);
    }

    /// <summary>Sends the dead letter of the message.</summary>
    public Task<SendResult> ForwardAsync(string topic, byte[]? key, byte[]? value, MessageHeaders headers, int partition) =>
        Transaction.Outputs.ForwardAsync(this, topic, key, value, headers, partition);

    /// <summary>
    /// Takes the next place in the order of the sends. <c>Before</c> completes when the earlier sends are placed. Complete <c>Placed</c> when this one is.
    /// </summary>
    public (Task Before, TaskCompletionSource Placed) TakePlace()
    {
        var placed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            var before = _placed;
            _placed = before.IsCompleted ? placed.Task : Task.WhenAll(before, placed.Task);
            return (before, placed);
        }
    }

    /// <summary>Remembers a send, so that <see cref="ReturnedAsync"/> can wait for it.</summary>
    public void Sent(Task<SendResult> send)
    {
        if (Transaction.HasOneMessage)
        {
            lock (_lock)
            {
                (_sends ??= []).Add(send);
            }
        }
    }

    /// <summary>A send of the message was refused: the transaction must be aborted.</summary>
    public void SendRefused(KafkaSendException refused)
    {
        _refused ??= refused;
        Transaction.Poison();
    }

    public void ThrowIfOver()
    {
        if (Transaction.IsOver)
        {
            throw Ended();
        }
    }

    private void ThrowIfClosed()
    {
        if (_closed || Transaction.IsOver)
        {
            throw Ended();
        }
    }

    private InvalidOperationException Ended() => new(
        $"The transaction of {Partition.Id} offset {Offset} is over, or its handler has returned: nothing can be sent in it any more, and nothing "
            + "was. Await each context.SendAsync within the handler, and pass on its token.");

    private TimeoutException TooSlow(Exception? cause) => new(
        $"The handler of {Partition.Id} offset {Offset} was at work for half of its transaction's limit of {Diagnostics.Duration.Text(Limit)} or "
            + "longer, and the limit passed.", cause);

    // After a refused send of another message, the client fails every send with the same error.
    private bool IsConsequence(Exception error) => Transaction.IsPoisoned && Has(error);

    private static bool Has(Exception? error) => error is KafkaSendException
        || (error is AggregateException several ? several.InnerExceptions.Any(Has) : error?.InnerException is { } cause && Has(cause));
}
