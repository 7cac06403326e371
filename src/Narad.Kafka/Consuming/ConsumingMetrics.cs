namespace Narad.Kafka.Consuming;

/// <summary>What a group counts; read by the service's meter. Thread-safe.</summary>
internal sealed class ConsumingMetrics
{
    private long _finished;
    private long _retriedInMemory;
    private long _skipped;
    private long _tombstones;
    private long _resets;
    private long _truncations;
    private long _deadLetters;
    private long _skippedByPolicy;
    private long _broadcastFailures;
    private long _retried;
    private long _republishes;
    private long _forwarded;
    private long _ungrouped;
    private long _lostToRetention;
    private long _skippedAsHandled;
    private long _refusedRecords;
    private long _duplicates;
    private long _stored;
    private long _unknownTypes;
    private long _transactionsCommitted;
    private long _transactionsAborted;

    /// <summary>Messages finished by their handler (or skipped by name), over the life of the service.</summary>
    public long Finished => Interlocked.Read(ref _finished);

    /// <summary>Retries in memory.</summary>
    public long InMemoryRetries => Interlocked.Read(ref _retriedInMemory);

    /// <summary>Messages skipped by <see cref="ISubscription.SkipFailedMessageAsync"/>.</summary>
    public long Skips => Interlocked.Read(ref _skipped);

    /// <summary>Tombstones that no handler wanted.</summary>
    public long Tombstones => Interlocked.Read(ref _tombstones);

    /// <summary>Messages of broadcast subscriptions that were given up, because their handler failed.</summary>
    public long BroadcastFailures => Interlocked.Read(ref _broadcastFailures);

    /// <summary>Messages moved to a dead-letter topic.</summary>
    public long DeadLetters => Interlocked.Read(ref _deadLetters);

    /// <summary>Messages moved to a retry topic.</summary>
    public long Retries => Interlocked.Read(ref _retried);

    /// <summary>Waiting messages moved to the end of their retry topic.</summary>
    public long Republishes => Interlocked.Read(ref _republishes);

    /// <summary>Messages copied to a retry topic to wait behind another one of their key.</summary>
    public long BlockedKeyMessages => Interlocked.Read(ref _forwarded);

    /// <summary>Messages of retry topics that name no group and were left alone.</summary>
    public long Ungrouped => Interlocked.Read(ref _ungrouped);

    /// <summary>Messages finished unhandled because a record of the group says that they were handled or copied before.</summary>
    public long SkipsAsHandled => Interlocked.Read(ref _skippedAsHandled);

    /// <summary>Records of retry topics whose claims were not believed.</summary>
    public long RefusedRecords => Interlocked.Read(ref _refusedRecords);

    /// <summary>Messages finished without their handler, because the inbox had noted them as handled.</summary>
    public long Duplicates => Interlocked.Read(ref _duplicates);

    /// <summary>Messages that a message store acknowledged.</summary>
    public long Stored => Interlocked.Read(ref _stored);

    /// <summary>Messages whose type had no handler, whatever became of them; one that is read again counts again.</summary>
    public long UnknownTypes => Interlocked.Read(ref _unknownTypes);

    /// <summary>Messages finished unhandled by <see cref="FailureAction.Skip"/>.</summary>
    public long SkipsByPolicy => Interlocked.Read(ref _skippedByPolicy);

    /// <summary>Offsets that were reset by <see cref="OutOfRangePolicy"/>.</summary>
    public long Resets => Interlocked.Read(ref _resets);

    /// <summary>Transactions that were committed.</summary>
    public long TransactionsCommitted => Interlocked.Read(ref _transactionsCommitted);

    /// <summary>Transactions that were aborted, or ended with their producer.</summary>
    public long TransactionsAborted => Interlocked.Read(ref _transactionsAborted);

    public void TransactionCommitted() => Interlocked.Increment(ref _transactionsCommitted);

    public void TransactionAborted() => Interlocked.Increment(ref _transactionsAborted);

    public void FinishedMessages(int count) => Interlocked.Add(ref _finished, count);

    public void RetriedInMemory() => Interlocked.Increment(ref _retriedInMemory);

    public void Skipped() => Interlocked.Increment(ref _skipped);

    public void TombstoneFinished() => Interlocked.Increment(ref _tombstones);

    public void DeadLettered() => Interlocked.Increment(ref _deadLetters);

    /// <summary>Messages that waited for a retry and were deleted meanwhile.</summary>
    public long Gone => Interlocked.Read(ref _lostToRetention);

    public void LostToRetention() => Interlocked.Increment(ref _lostToRetention);

    public void Retried() => Interlocked.Increment(ref _retried);

    public void Republished() => Interlocked.Increment(ref _republishes);

    public void Forwarded() => Interlocked.Increment(ref _forwarded);

    public void LeftUngrouped() => Interlocked.Increment(ref _ungrouped);

    public void SkippedAsHandled(long count) => Interlocked.Add(ref _skippedAsHandled, count);

    public void Duplicate() => Interlocked.Increment(ref _duplicates);

    public void StoredMessages(int count) => Interlocked.Add(ref _stored, count);

    public void UnknownType() => Interlocked.Increment(ref _unknownTypes);

    public void RefusedRecord() => Interlocked.Increment(ref _refusedRecords);

    public void BroadcastFailed() => Interlocked.Increment(ref _broadcastFailures);

    public void SkippedByPolicy() => Interlocked.Increment(ref _skippedByPolicy);

    /// <summary>Partitions whose log was found truncated below where the group stood.</summary>
    public long Truncations => Interlocked.Read(ref _truncations);

    public void Truncated() => Interlocked.Increment(ref _truncations);

    public void Reset() => Interlocked.Increment(ref _resets);
}
