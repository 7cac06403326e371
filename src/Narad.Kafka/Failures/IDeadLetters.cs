namespace Narad.Kafka;

/// <summary>
/// Finds messages that could not be handled, shows why, and sends them again. Reads without joining any group; nothing but
/// <see cref="DeleteAsync"/> and <see cref="DeleteAllAsync"/> ever deletes. Topics are given by their real or logical names. In
/// <see cref="KafkaMode.Console"/> there are none. Thread-safe.
/// </summary>
/// <remarks>
/// Partitions are read one after the other, each in offset order, up to its end as it was when the call began. Every method that reads throws a
/// <see cref="KafkaTopicException"/> where the topic does not exist, reading was refused, or no broker answered for
/// <see cref="KafkaOptions.ConnectTimeout"/>, and an <see cref="ArgumentException"/> where a name is not legal.
/// </remarks>
/// <example>
/// <code>
/// await foreach (var letter in kafka.DeadLetters.BrowseAsync("orders-dlt", new DeadLetterFilter { Group = "billing" }))
/// {
///     Console.WriteLine($"{letter.SourceTopic}, key {letter.Key}: {letter.ExceptionMessage}");
/// }
///
/// var report = await kafka.DeadLetters.RedriveAsync("orders-dlt", new RedriveOptions { Filter = new DeadLetterFilter { Group = "billing" } });
/// Console.WriteLine($"{report.Sent} sent again");
/// </code>
/// </example>
public interface IDeadLetters
{
    /// <summary>The dead letters that a filter lets through; all of them without one. Holds a few hundred at a time.</summary>
    /// <param name="deadLetterTopic">The topic, such as <c>orders-dlt</c>.</param>
    /// <param name="filter">Which; null for all.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    IAsyncEnumerable<DeadLetter> BrowseAsync(string deadLetterTopic, DeadLetterFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>A page of them, for a reader that comes back: ends where it is full (or holds 16 MiB), or where all were seen.</summary>
    /// <param name="deadLetterTopic">The topic.</param>
    /// <param name="filter">Which; null for all.</param>
    /// <param name="size">The most dead letters of the page; 1 to 10,000.</param>
    /// <param name="after">The <see cref="DeadLetterPage.Continuation"/> of the page before it; null for the first.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ArgumentException"><paramref name="size"/> is out of range, or <paramref name="after"/> is no continuation of this topic.</exception>
    Task<DeadLetterPage> GetPageAsync(string deadLetterTopic, DeadLetterFilter? filter = null, int size = 100, string? after = null,
        CancellationToken cancellationToken = default);

    /// <summary>
    /// How many a filter lets through, by reading them all. Without a filter, how many offsets the topic holds, at once: in a compacted or transactional
    /// topic that is more than there are messages.
    /// </summary>
    Task<long> CountAsync(string deadLetterTopic, DeadLetterFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>Returns one dead letter; null where there is none (any more) at this offset.</summary>
    /// <param name="position">The coordinates in the dead-letter topic.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    Task<DeadLetter?> GetAsync(TopicPartitionOffsetId position, CancellationToken cancellationToken = default);

    /// <summary>
    /// Sends dead letters again, a batch at a time, and keeps the dead letters: a group's committed offset says how far it came, so that the same redrive asked
    /// for again continues there. One that crashed sends at most one batch twice, and leaves out none. It ends at the end as it was when it began: what fails
    /// again meanwhile is left for the next.
    /// </summary>
    /// <param name="deadLetterTopic">The topic.</param>
    /// <param name="options">Which, where to, how quickly; null for all, to the groups that failed.</param>
    /// <param name="progress">Told after each batch.</param>
    /// <param name="cancellationToken">Ends it behind the messages that were acknowledged; asked for again it continues there.</param>
    /// <exception cref="ArgumentException">An option is out of range, or a filter with a delegate has no <see cref="RedriveOptions.Name"/>.</exception>
    /// <exception cref="InvalidOperationException">A redrive of the same name runs, here or elsewhere.</exception>
    /// <exception cref="KafkaSendException">A record was not acknowledged. Progress up to the last acknowledged one is committed.</exception>
    /// <exception cref="KafkaTopicException">A retry topic is missing and may not be created; or see the remarks.</exception>
    /// <exception cref="NotSupportedException">In <see cref="KafkaMode.Console"/>.</exception>
    Task<RedriveReport> RedriveAsync(string deadLetterTopic, RedriveOptions? options = null, IProgress<RedriveProgress>? progress = null,
        CancellationToken cancellationToken = default);

    /// <summary>Sends one dead letter again, and completes when the broker has it. It touches no progress, so a redrive of all sends it once more.</summary>
    /// <param name="deadLetter">The dead letter, as it was browsed or peeked at.</param>
    /// <param name="target">Who gets it.</param>
    /// <param name="retryTopic">See <see cref="RedriveOptions.RetryTopic"/>.</param>
    /// <param name="cancellationToken">Cancels the waiting, not the message.</param>
    /// <exception cref="InvalidOperationException">It does not say where it came from, or that is not there any more; the message says which.</exception>
    /// <exception cref="KafkaSendException">The record was not acknowledged.</exception>
    /// <exception cref="KafkaTopicException">The retry topic is missing and may not be created.</exception>
    /// <exception cref="NotSupportedException">In <see cref="KafkaMode.Console"/>.</exception>
    Task<SendResult> RedriveAsync(DeadLetter deadLetter, RedriveTarget target = RedriveTarget.Group, string? retryTopic = null,
        CancellationToken cancellationToken = default);

    /// <summary>
    /// Deletes, for good, what stands before these offsets, such as <see cref="DeadLetterPage.Positions"/> or <see cref="RedriveReport.Positions"/>.
    /// </summary>
    /// <param name="deadLetterTopic">The topic.</param>
    /// <param name="before">The first offset that stays, by partition; other partitions stay as they are.</param>
    /// <param name="anyTopic">Must be true for a topic that is neither named <c>…-dlt</c> nor the dead-letter topic of a subscription of this service.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <returns>How many offsets were given up.</returns>
    /// <exception cref="ArgumentException">It may be no dead-letter topic, or an offset is negative or of another topic.</exception>
    /// <exception cref="KafkaTopicException">It was refused, the topic or a partition does not exist, an offset is behind its end, or no broker answered
    /// in time.</exception>
    /// <exception cref="NotSupportedException">In <see cref="KafkaMode.Console"/>, and on another process's embedded broker.</exception>
    Task<long> DeleteAsync(string deadLetterTopic, IReadOnlyDictionary<TopicPartitionId, long> before, bool anyTopic = false,
        CancellationToken cancellationToken = default);

    /// <summary>Deletes, for good, all that the topic holds now; the topic stays.</summary>
    /// <inheritdoc cref="DeleteAsync"/>
    Task<long> DeleteAllAsync(string deadLetterTopic, bool anyTopic = false, CancellationToken cancellationToken = default);
}
