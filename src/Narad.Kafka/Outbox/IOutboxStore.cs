namespace Narad.Kafka;

/// <summary>
/// Where an outbox keeps its messages, and what its relays agree on: the port that a database implements. Implementations are thread-safe, and measure every
/// lease and every age by the store's own clock, never by the caller's. A failure of the store, also one that leaves open whether something was written, is a
/// <see cref="StoreUnavailableException"/>.
/// </summary>
/// <remarks>
/// A message is pending, dispatched or set aside. Every change names the state that it expects: a relay's change expects a pending message and a lease that is
/// still in force (same relay, same fence), an operator's change expects one that is set aside. What does not match is left as it is, and the answer says so.
/// Messages have one of <see cref="OutboxMessage.BucketCount"/> buckets; a relay works on a bucket only while it holds its lease.
/// </remarks>
public interface IOutboxStore
{
    /// <summary>Prepares and checks everything (collections, indexes, rights). Called before the relay's first other call, and again after it failed.</summary>
    /// <param name="retention">How long dispatched messages are kept. Zero: they are deleted at once. Pending ones and those set aside never expire.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>What the outbox promises.</returns>
    /// <exception cref="KafkaConfigurationException">The store cannot serve as it is configured.</exception>
    /// <exception cref="StoreUnavailableException">The store did not answer within a bounded time.</exception>
    Task<OutboxGuarantee> StartAsync(TimeSpan retention, CancellationToken cancellationToken);

    /// <summary>
    /// Stores messages as pending, all or none of them. Also before <see cref="StartAsync"/>. Each gets a sequence number of its bucket, in the order of the
    /// list. A message that is enqueued after another one of its bucket was committed, by whatever process, has the higher number. Where a transaction is
    /// given, the number is taken after the transaction's snapshot exists: of two transactions that conflict, the one that commits later has the higher
    /// number. Numbers may have gaps.
    /// </summary>
    /// <param name="messages">At least one message; ids are unique.</param>
    /// <param name="session">The application's transaction, of a type that the store knows; null: the transaction of the message that is being handled
    /// (inbox), else none.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="ArgumentException"><paramref name="session"/> is of a type that the store does not know, or is in no transaction.</exception>
    /// <exception cref="StoreUnavailableException">The store did not answer. Errors of the application's own transaction pass unchanged.</exception>
    Task EnqueueAsync(IReadOnlyList<OutboxMessage> messages, object? session, CancellationToken cancellationToken);

    /// <summary>Notes that a relay lives, and renews the leases that it holds and that have not expired, all from now on.</summary>
    /// <param name="relay">The relay's id: unique in time and space.</param>
    /// <param name="duration">For how long, by the store's clock.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    Task<OutboxMembership> HeartbeatAsync(string relay, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Takes a bucket that nobody holds, or whose lease has expired by the store's clock; its fence grows by at least one.</summary>
    /// <returns>The lease; null where another relay holds it.</returns>
    Task<OutboxLease?> TryAcquireAsync(string relay, int bucket, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Gives a bucket back at once. Does nothing where the lease is not in force any more.</summary>
    Task ReleaseAsync(OutboxLease lease, CancellationToken cancellationToken);

    /// <summary>Removes a relay and releases all of its leases at once.</summary>
    Task LeaveAsync(string relay, CancellationToken cancellationToken);

    /// <summary>Which of these buckets have pending messages. The only query of an idle relay.</summary>
    Task<IReadOnlyCollection<int>> FindPendingBucketsAsync(IReadOnlyCollection<int> buckets, CancellationToken cancellationToken);

    /// <summary>
    /// The pending messages of a bucket, lowest sequence number first, from the lowest that there is: never from where a former read ended, because a
    /// transaction may commit a lower number later. Only what is committed. No message comes without the pending ones of its key that were committed before it:
    /// a query that is no snapshot may miss them. Without messages of <paramref name="exceptKeys"/>, and without those whose
    /// key has a message that was set aside with <c>holdsKey</c>.
    /// </summary>
    /// <param name="lease">The bucket's lease. A store may answer with nothing where it is not in force any more; it need not check.</param>
    /// <param name="exceptKeys">Values of <see cref="OutboxMessage.KeyHash"/> that are to be left out.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    Task<IReadOnlyList<OutboxRow>> ReadPendingAsync(OutboxLease lease, IReadOnlyCollection<long> exceptKeys, int limit, CancellationToken cancellationToken);

    /// <summary>Marks pending messages as dispatched; they expire after the retention.</summary>
    /// <returns>How many were changed. The others are not pending any more, or the lease is not in force.</returns>
    Task<int> MarkDispatchedAsync(OutboxLease lease, IReadOnlyList<OutboxRow> rows, CancellationToken cancellationToken);

    /// <summary>Notes that a pending message was refused: its attempts grow by one, and it stays pending.</summary>
    /// <returns>Whether it was changed.</returns>
    Task<bool> RecordRefusalAsync(OutboxLease lease, OutboxRow row, string reason, CancellationToken cancellationToken);

    /// <summary>Sets a pending message aside: it was refused once more (its attempts grow by one), and it is not sent again by itself.</summary>
    /// <param name="lease">The lease that the relay holds.</param>
    /// <param name="row">The message.</param>
    /// <param name="reason">Why, for people.</param>
    /// <param name="holdsKey">Whether later messages of its key wait until it is retried or discarded.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>Whether it was changed.</returns>
    Task<bool> SetAsideAsync(OutboxLease lease, OutboxRow row, string reason, bool holdsKey, CancellationToken cancellationToken);

    /// <summary>Counts pending messages and those set aside; the age by the store's clock.</summary>
    Task<OutboxStatistics> GetStatisticsAsync(CancellationToken cancellationToken);

    /// <summary>Messages that were set aside, oldest first (by the time of setting aside, then by id).</summary>
    /// <param name="topic">Only those of this topic (its real name); null: of all.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    Task<IReadOnlyList<SetAsideMessage>> ListSetAsideAsync(string? topic, int limit, CancellationToken cancellationToken);

    /// <summary>Makes messages that are set aside pending again, with their old sequence number and no attempts.</summary>
    /// <returns>How many were set aside and are pending now.</returns>
    Task<int> RetryAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken);

    /// <summary>Deletes messages that are set aside.</summary>
    /// <returns>How many were set aside and are deleted.</returns>
    Task<int> DiscardAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken);

    /// <summary>
    /// Calls <paramref name="signal"/> whenever pending messages were committed (enqueued or retried), as far and as soon as the store hears of it, until it is
    /// cancelled. A wake-up only: signals may be missed or come for nothing, because relays poll as well. Reconnects by itself, with backoff.
    /// </summary>
    /// <param name="signal">Takes the bucket of the messages; null where the store does not know which (after a gap, for example): all are looked at. Fast;
    /// never throws.</param>
    /// <param name="cancellationToken">Ends it; the task then completes without an exception.</param>
    Task WatchAsync(Action<int?> signal, CancellationToken cancellationToken);
}
