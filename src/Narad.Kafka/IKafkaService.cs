using System.Runtime.CompilerServices;

namespace Narad.Kafka;

/// <summary>
/// Sends and receives Kafka messages. Every member is idempotent where repeating it makes sense, and safe from many threads.
/// It never loses a message silently: what cannot be handled stops its partition, what cannot be sent throws.
/// </summary>
public interface IKafkaService : IAsyncDisposable
{
    /// <summary>The mode in force; <see cref="KafkaMode.Auto"/> until it was decided by the first connect.</summary>
    KafkaMode Mode { get; }

    /// <summary>
    /// Whether a broker of any connected role answered the latest probe (every <see cref="KafkaOptions.ProbeInterval"/>, default 3 s).
    /// False before connecting, after disconnecting, and always in <see cref="KafkaMode.Console"/>.
    /// </summary>
    bool IsConnected { get; }

    /// <summary>
    /// Completes when the service was disconnected; faults when a subscription ended for good by itself
    /// (its static identity was taken over, or <see cref="UnhandledPolicy.StopHost"/> applied).
    /// </summary>
    Task Completion { get; }

    /// <summary>Creates, describes and inspects topics through the same settings as the rest of the service.</summary>
    IKafkaTopics Topics { get; }

    /// <summary>Finds messages that could not be handled, and sends them again.</summary>
    IDeadLetters DeadLetters { get; }

    /// <summary>The subscriptions of this service, in the order in which they were made.</summary>
    IReadOnlyList<ISubscription> Subscriptions { get; }

    /// <summary>Validates the configuration; idempotent, and returns the service so that calls chain.</summary>
    /// <exception cref="KafkaConfigurationException">Something in the configuration is wrong; the message lists every fault.</exception>
    /// <exception cref="ObjectDisposedException">The service was disconnected.</exception>
    IKafkaService Init();

    /// <summary>Connects the sending side. A second call returns the first call's result.</summary>
    /// <exception cref="KafkaConnectionException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>.</exception>
    Task ConnectProducerAsync(CancellationToken cancellationToken = default);

    /// <summary>Connects a consumer group; may be called for several groups.</summary>
    /// <param name="group">The group's id; null takes <see cref="KafkaOptions.ConsumerGroupId"/>.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <exception cref="KafkaConnectionException">No broker answered within <see cref="KafkaOptions.ConnectTimeout"/>.</exception>
    /// <exception cref="KafkaConfigurationException">No group was named, here or in the configuration.</exception>
    /// <exception cref="ArgumentException"><paramref name="group"/> is no legal id: empty, too long, with control characters, or with a space around it.</exception>
    Task ConnectConsumerAsync(string? group = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Sends one message and completes when the broker acknowledged it. The order of sends is fixed when this method is called.
    /// Cancelling removes a message that still waits in the send queue; once the client has the message, it stops only the waiting. The exception says which it
    /// was.
    /// </summary>
    /// <param name="topic">The topic's name, or the logical name that <c>KAFKA_TOPIC_*</c> maps.</param>
    /// <param name="message">Text and bytes (<c>byte[]</c>, <c>ReadOnlyMemory&lt;byte&gt;</c>, <c>Memory&lt;byte&gt;</c>, <c>ArraySegment&lt;byte&gt;</c>,
    /// <c>ReadOnlySequence&lt;byte&gt;</c>, <c>ImmutableArray&lt;byte&gt;</c>) go as they are, everything else as JSON.</param>
    /// <param name="key">Chooses the partition; default: none (a random, sticky partition).</param>
    /// <param name="options">Headers, partition, timestamp, where wanted.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <exception cref="ArgumentNullException"><paramref name="message"/> is null: see <see cref="SendTombstoneAsync"/>.</exception>
    /// <exception cref="ArgumentException">The topic's name is not legal.</exception>
    /// <exception cref="KafkaNotConnectedException">The sending side is not connected.</exception>
    /// <exception cref="KafkaSendException">The message was not acknowledged.</exception>
    ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Sends text as it is (UTF-8). See <see cref="SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    [OverloadResolutionPriority(2)]
    ValueTask<SendResult> SendAsync(string topic, string message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Sends bytes as they are. See <see cref="SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    [OverloadResolutionPriority(2)]
    ValueTask<SendResult> SendAsync(string topic, byte[] message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Refuses a collection: did you mean <see cref="SendManyAsync"/>? To send the collection as one message name its type:
    /// <c>SendAsync&lt;Order[]&gt;(topic, orders)</c>. Dictionaries and <c>JsonNode</c>s are single messages and are sent.
    /// </summary>
    /// <exception cref="ArgumentException">Always, except for dictionaries and JSON nodes.</exception>
    [OverloadResolutionPriority(1)]
    ValueTask<SendResult> SendAsync<T>(string topic, IEnumerable<T> message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Sends a message with a null value: in a compacted topic it deletes <paramref name="key"/>.</summary>
    /// <exception cref="ArgumentException"><paramref name="key"/> is null: a tombstone without a key deletes nothing. Or the topic's name is not legal.</exception>
    /// <exception cref="KafkaNotConnectedException">The sending side is not connected.</exception>
    /// <exception cref="KafkaSendException">The message was not acknowledged.</exception>
    ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Sends many messages, in order and without waiting for one before sending the next; completes when all are acknowledged.
    /// </summary>
    /// <returns>One result a message, in the order of <paramref name="messages"/>.</returns>
    /// <exception cref="ArgumentException">The topic's name is not legal.</exception>
    /// <exception cref="KafkaNotConnectedException">The sending side is not connected.</exception>
    /// <exception cref="KafkaSendManyException">Some failed; it says which and why, and what became of the others.</exception>
    Task<IReadOnlyList<SendResult>> SendManyAsync<T>(string topic, IEnumerable<T> messages, Func<T, MessageKey>? key = null, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Handles the messages of a topic. Completes when the group was joined, or when the topic was reported missing
    /// (<see cref="ISubscription.State"/> tells; it starts by itself within 5 s of the topic's creation).
    /// </summary>
    /// <param name="topic">A topic's name, or a pattern (a regular expression that starts with <c>^</c>).</param>
    /// <param name="handler">Called with message, context and a token that is cancelled when the assignment is lost, at the revoke deadline and at the end of the shutdown drain.</param>
    /// <param name="group">The group; null takes the only connected one.</param>
    /// <param name="configure">Parallelism, order, retries, start position …</param>
    /// <param name="cancellationToken">Cancels the waiting, not the subscription.</param>
    /// <exception cref="KafkaNotConnectedException">No group is connected, or the service was disconnected.</exception>
    /// <exception cref="InvalidOperationException">Several groups are connected and none was named, or the group already handles this topic.</exception>
    /// <exception cref="ArgumentException">The topic's name or pattern is not legal, or <paramref name="configure"/> gave a number that is out of range.</exception>
    /// <exception cref="KafkaTopicException">The topic could not be looked at or created, and looking again would not help.</exception>
    /// <exception cref="KafkaConnectionException">The group may not read, or it ended by itself before it had joined.</exception>
    Task<ISubscription> SubscribeAsync<T>(string topic, Func<T, MessageContext, CancellationToken, Task> handler, string? group = null, Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Handles the messages of a topic in batches: each of one partition, in offset order, of at most
    /// <see cref="SubscriptionOptions.MaxBatchSize"/> messages or <see cref="SubscriptionOptions.MaxBatchWait"/>.
    /// See <see cref="SubscribeAsync{T}"/> for the rest.
    /// </summary>
    Task<ISubscription> SubscribeBatchAsync<T>(string topic, Func<MessageBatch<T>, CancellationToken, Task> handler, string? group = null, Action<SubscriptionOptions>? configure = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Stops consuming (what runs is finished, up to <see cref="KafkaOptions.ShutdownTimeout"/>), then sending. A second call returns the
    /// first call's report. Nothing is left hanging: sends without an answer at the deadline fail as <em>unknown</em>.
    /// </summary>
    Task<DisconnectReport> DisconnectAsync(CancellationToken cancellationToken = default);
}
