using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Failures;
using Narad.Kafka.KeyOrder;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Consuming;

/// <summary>
/// One partition during one assignment: its epoch. A partition that is revoked and comes back is another one of these, so that whatever is
/// still under way for the old one cannot touch the new one.
/// </summary>
/// <remarks>
/// States, changed only by <see cref="KeyQueueScheduler"/> under its lock:
/// <code>
///   Active ──failure──▶ Stopped ──resume/skip──▶ Active
///     │                    │
///     └──revoke/shutdown───┴──▶ Draining ──▶ Gone        lost, fatal: ──▶ Gone at once
/// </code>
/// Fields say who writes them.
/// </remarks>
internal sealed class AssignedPartition
{
    private readonly CancellationTokenSource _cancellation = new();
    private MessageOrigin? _origin;

    public AssignedPartition(TopicPartition partition, Subscription subscription)
    {
        Partition = partition;
        Id = new TopicPartitionId(partition.Topic, partition.Partition.Value);
        Subscription = subscription;
        Token = _cancellation.Token;
        QueueSeed = KeyQueueHash.Seed(partition.Topic, partition.Partition.Value);
    }

    public TopicPartition Partition { get; }

    public TopicPartitionId Id { get; }

    public Subscription Subscription { get; }

    /// <summary>What its keys are hashed with: the same for every epoch of this partition.</summary>
    public ulong QueueSeed { get; }

    /// <summary>Cancelled when the assignment is lost, at the revoke deadline and at the end of the shutdown drain.</summary>
    public CancellationToken Token { get; }

    // ── scheduler's lock ──────────────────────────────────────────────────────────────────────────────────────────────
    public PartitionState State { get; set; }

    /// <summary>Paused by name: nothing starts. Written by the poll thread.</summary>
    public bool IsPausedByName { get; set; }

    /// <summary>Its retry partition is not ours or not read yet: nothing starts. Written by the poll thread.</summary>
    public bool LacksRetryPartition { get; set; }

    /// <summary>The epoch that a seek ended while handlers of it ran: who waits for this one's handlers waits for those.</summary>
    public AssignedPartition? Predecessor { get; set; }

    /// <summary>Handlers that run now; not those that wait for a retry.</summary>
    public int Running { get; set; }

    /// <summary>Key queues that a worker may take.</summary>
    public Queue<KeyQueue> Ready { get; } = new();

    /// <summary>Key queues whose first message may not start now.</summary>
    public List<KeyQueue> Suspended { get; } = [];

    /// <summary>Key queues whose first message waits for a retry or for its batch to fill.</summary>
    public HashSet<KeyQueue> Waiting { get; } = [];

    /// <summary>What it stopped at; by offset.</summary>
    public SortedList<long, (Delivery Delivery, Exception Reason)> Failures { get; } = [];

    // ── poll thread ───────────────────────────────────────────────────────────────────────────────────────────────────
    public OffsetTracker Tracker { get; } = new();

    /// <summary>Messages that are held in memory: waiting, running, waiting for a retry. Written by <see cref="FlowControl"/> only.</summary>
    public int BufferedMessages { get; set; }

    public long BufferedBytes { get; set; }

    /// <summary>For how much longer the poll thread would rather wait for its handlers than pause it. Written by <see cref="FlowControl"/> only.</summary>
    public int SpinBudget { get; set; } = 500;

    /// <summary>What was last stored for committing.</summary>
    public long? Stored { get; set; }

    /// <summary>The leader epoch that was stored with it; null where there was none.</summary>
    public int? StoredEpoch { get; set; }

    /// <summary>How many messages were finished ahead of an unfinished one when the offset was stored; −1 where that is to be stored anew.</summary>
    public int StoredAhead { get; set; }

    /// <summary>What was stored with it, where it names messages that are finished ahead and was not committed explicitly; null otherwise.</summary>
    public string? AheadMetadata { get; set; }

    /// <summary>The offset when it was last considered whether that is to be committed explicitly.</summary>
    public long? AheadConsidered { get; set; }

    /// <summary>
    /// Whether what finishes ahead of an unfinished message is recorded when an offset is stored. Of a source partition whose keys are kept in order
    /// through retries only at the end, when its retry partition says what is finished there.
    /// </summary>
    public bool RecordsAhead { get; set; }

    /// <summary>Whether what was finished ahead, by whoever had it before, is not handled again.</summary>
    public bool TakesAhead { get; init; }

    /// <summary>The id that the topic had before the first message was fetched; null where it is not known: then nothing is recorded.</summary>
    public string? TopicId { get; set; }

    /// <summary>Whether it was looked up what the group has committed, and the topic's id.</summary>
    public bool IsLookedUp { get; set; }

    /// <summary>What was finished ahead and is not read yet; null where there is nothing.</summary>
    public FinishedAhead? Ahead { get; set; }

    /// <summary>Whether it was logged that not all that is finished ahead could be recorded.</summary>
    public bool AheadIsLogged { get; set; }

    /// <summary>Whether fetching is paused; null right after the assignment: the client may remember an older pause.</summary>
    public bool? Paused { get; set; }

    /// <summary>Behind the latest message, with the epoch that wrote it; null before there is one.</summary>
    public TopicPartitionOffset? Position => Tracker.Next is { } next ? new TopicPartitionOffset(Partition, next, Tracker.EpochAt(next)) : null;

    /// <summary>Where it starts because we said so (no committed offset, a reset), until its first message.</summary>
    public Offset? StartAt { get; set; }

    /// <summary>Its messages before this time (milliseconds since 1970) are left out, up to the first that is not; null: none.</summary>
    public long? SkipsUntil { get; set; }

    /// <summary>The offset that was not there, while its start is still to be decided; null otherwise.</summary>
    public MissingOffset? Missing { get; set; }

    /// <summary>
    /// Whether nothing of it may be fetched yet, since the client has not been told to check that the log still holds what the group had handled.
    /// </summary>
    public bool IsUnchecked { get; set; }

    /// <summary>Of a retry partition: whether it is not known yet which seal its records are checked with. Nothing of it is read until then.</summary>
    public bool AwaitsSeal { get; set; }

    /// <summary>Whether it is another epoch of a partition that stayed ours, and so begins where somebody or a policy says.</summary>
    public bool IsRenewed { get; set; }

    /// <summary>The first offset that was fetched all the same, and dropped; null where nothing was.</summary>
    public long? Dropped { get; set; }

    /// <summary>Why it cannot be read although no message failed: its offset is out of range, or it has no start position.</summary>
    public Exception? Unreadable { get; set; }

    /// <summary>The offset at which it became unreadable; −1 where there is none.</summary>
    public long UnreadableAt { get; set; } = -1;

    /// <summary>Of a retry topic: what is not due yet.</summary>
    public DelayedRetries Delayed => field ??= new DelayedRetries();

    /// <summary>
    /// Which of its keys are blocked: of a retry partition its own, of a source partition that of its retry partition, once both are ours; null where keys
    /// are not blocked. Written by the poll thread before anything of it may start.
    /// </summary>
    public BlockedKeys? BlockedKeys { get; set; }

    /// <summary>Whether enough of its messages wait in its retry partition: nothing more is fetched.</summary>
    public bool HasTooManyBlocked { get; set; }

    /// <summary>When it began to wait for its retry partition, as a timestamp; null while it does not.</summary>
    public long? LacksRetryPartitionSince { get; set; }

    /// <summary>When the seal of its pair was last sent to the broker, as a timestamp; null before that.</summary>
    public long? SealAskedAt { get; set; }

    /// <summary>Whether it was logged that it waits for its retry partition.</summary>
    public bool LackIsLogged { get; set; }

    /// <summary>The offset of the first message, and whether the group had committed there; null before it.</summary>
    public (long Offset, bool IsResumed)? Began { get; set; }

    /// <summary>Whether it is a retry partition that is read to its end before anything of it is handled: how much that is has no limit.</summary>
    public bool IsRecovering => BlockedKeys is { IsRecovered: false } && Subscription.Settings.Retries is not null;

    /// <summary>Of an exactly-once subscription: what is in no committed transaction yet.</summary>
    public PartitionBacklog Backlog => field ??= new PartitionBacklog();

    /// <summary>Whether a pattern found it although its topic holds retry records or dead letters: it is assigned, and nothing of it is read.</summary>
    public bool IsFailureTopic { get; init; }

    /// <summary>Since when it makes no progress.</summary>
    public PartitionProgress Progress { get; } = new();

    /// <summary>Finished messages per second, smoothed: how much work a third of a second is.</summary>
    public double Rate { get; set; }

    /// <summary>Finished since the rate was last computed.</summary>
    public int FinishedSinceTick { get; set; }

    /// <summary>Where its messages come from; made once. Any thread.</summary>
    public MessageOrigin OriginIn(string group, IMessageSender? sender) => _origin ??= new MessageOrigin(Id.Topic, Id.Partition, group) { Sender = sender };

    /// <summary>Cancels the handlers' token; what they registered on it runs on the thread pool, never on the caller's thread.</summary>
    public void Cancel(ILogger logger)
    {
        _cancellation.CancelInBackground(logger);
        Predecessor?.Cancel(logger);
    }
}
