using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>A running subscription. Thread-safe.</summary>
public interface ISubscription
{
    /// <summary>The topic's real name, or the pattern.</summary>
    string Topic { get; }

    /// <summary>The group.</summary>
    string Group { get; }

    /// <summary>
    /// The subscriptions to its retry topics, in the group <c>{group}-retry</c>: pausing all, resuming all and stopping this one goes for them too. Empty
    /// where there are none.
    /// </summary>
    IReadOnlyList<ISubscription> RetrySubscriptions => [];

    /// <summary>What it is doing.</summary>
    SubscriptionState State { get; }

    /// <summary>Why it ended by itself; null while it did not.</summary>
    [JsonConverter(typeof(KafkaJsonConverter))]
    Exception? Error { get; }

    /// <summary>The partitions that this process handles now.</summary>
    IReadOnlyList<TopicPartitionId> Assignment { get; }

    /// <summary>
    /// The partitions that stopped, and why: at a message whose failure no policy covers, or without an offset to read from
    /// (<see cref="OffsetUnavailableException"/>).
    /// </summary>
    IReadOnlyList<StoppedPartition> StoppedPartitions { get; }

    /// <summary>
    /// Whether messages are started, or wait until what the handler needs answers again; <see cref="CircuitState.Closed"/> without
    /// <see cref="SubscriptionOptions.CircuitBreaker"/>.
    /// </summary>
    CircuitState CircuitState { get; }

    /// <summary>
    /// Messages in the memory of this process, those of its retry topics included: waiting, running, waiting for a retry. While
    /// <see cref="CircuitState"/> is not <see cref="CircuitState.Closed"/> they wait for what the handler or the store needs.
    /// </summary>
    long BufferedMessages => 0;

    /// <summary>The partitions of this process that were paused by name.</summary>
    IReadOnlyList<TopicPartitionId> PausedPartitions { get; }

    /// <summary>
    /// Starts no more messages of any partition, now assigned or later, until <see cref="ResumeAllAsync"/>: what runs may finish,
    /// the member stays in its group, and a rebalance changes nothing about it. Other members of the group are not asked.
    /// </summary>
    Task PauseAllAsync(CancellationToken cancellationToken = default);

    /// <summary>Starts no more messages of one partition, also when it goes and comes back, until it is resumed.</summary>
    /// <returns>Whether the partition is assigned to this process now; it is remembered all the same.</returns>
    Task<bool> PauseAsync(TopicPartitionId partition, CancellationToken cancellationToken = default);

    /// <summary>Resumes all partitions that were paused by name. Those that stopped at a message stay stopped.</summary>
    Task ResumeAllAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Resumes a partition that was paused by name, or stopped: a stopped one with the message it stopped at or, where it stopped because
    /// its offset was out of range or it has none, at the first message that is left. While the whole subscription is paused, it stays so.
    /// </summary>
    /// <returns>Whether the partition was paused or stopped here.</returns>
    /// <exception cref="KafkaConnectionException">The client refused it just now; trying again may help.</exception>
    /// <example>
    /// <code>
    /// foreach (var stopped in subscription.StoppedPartitions)
    /// {
    ///     Console.WriteLine($"{stopped.Partition} stopped at {stopped.Offset}: {stopped.Reason.Message}");
    ///     await subscription.ResumeAsync(stopped.Partition);   // handles the same message again
    /// }
    /// </code>
    /// </example>
    Task<bool> ResumeAsync(TopicPartitionId partition, CancellationToken cancellationToken = default);

    /// <summary>Resumes a stopped partition behind the message it stopped at: that one is finished unhandled, counted and logged.</summary>
    /// <returns>Whether the partition was stopped here, at a message.</returns>
    /// <example>
    /// <code>
    /// foreach (var stopped in subscription.StoppedPartitions)
    /// {
    ///     await subscription.SkipFailedMessageAsync(stopped.Partition);   // never handled: counted, and logged with its offset
    /// }
    /// </code>
    /// </example>
    Task<bool> SkipFailedMessageAsync(TopicPartitionId partition, CancellationToken cancellationToken = default);

    /// <summary>
    /// Continues at this offset of a partition, and commits it: back to handle messages again, forward to leave some out. Messages that wait are
    /// dropped; handlers that run finish, and what they finish changes nothing any more. A stopped partition continues.
    /// </summary>
    /// <param name="partition">A partition that is assigned to this process.</param>
    /// <param name="offset">From 0. One that the partition does not hold is answered as the subscription's <see cref="SubscriptionOptions.OnOutOfRange"/>
    /// says.</param>
    /// <param name="cancellationToken">Stops the waiting, not the seeking.</param>
    /// <returns>Whether the partition is assigned to this process; if not, nothing was done.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is below 0.</exception>
    /// <exception cref="KafkaConnectionException">The client could not seek now; nothing was done.</exception>
    Task<bool> SeekAsync(TopicPartitionId partition, long offset, CancellationToken cancellationToken = default);

    /// <summary>
    /// Continues at the first message of this time or later in each partition that is assigned to this process; where there is none, at the end. Before
    /// 1970: at the start.
    /// </summary>
    /// <returns>The partitions, and where each continues.</returns>
    /// <exception cref="KafkaConnectionException">The broker did not say where that is; partitions that it did not say it for are left as they are.</exception>
    /// <exception cref="NotSupportedException">The embedded broker does not find offsets by time, other than the start.</exception>
    Task<IReadOnlyDictionary<TopicPartitionId, long>> SeekAsync(DateTimeOffset time, CancellationToken cancellationToken = default);

    /// <summary>Handles everything again that the partitions of this process hold: continues at the first message of each.</summary>
    /// <returns>The partitions, and where each continues.</returns>
    /// <exception cref="KafkaConnectionException">The broker did not say where that is; partitions that it did not say it for are left as they are.</exception>
    Task<IReadOnlyDictionary<TopicPartitionId, long>> SeekToBeginningAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Ends this subscription alone: finishes what runs (at most <see cref="KafkaOptions.RevokeTimeout"/>), commits, and reads its topic no more. Other
    /// subscriptions of the group continue, and the topic can be subscribed to again.
    /// </summary>
    /// <param name="cancellationToken">Stops the waiting, not the ending.</param>
    Task StopAsync(CancellationToken cancellationToken = default);
}
