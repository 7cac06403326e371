using System.Runtime.CompilerServices;

namespace Narad.Kafka;

/// <summary>
/// Stores messages in the application's database, in the transaction that writes the application's own data; a relay sends them afterwards, in the order of
/// each key. <c>AddOutbox()</c> registers it. Thread-safe.
/// </summary>
/// <remarks>
/// Messages go through the same middleware, serializer, routes and trace context as <see cref="IKafkaProducer"/> sends them through, when they are enqueued:
/// what cannot be serialized, is larger than <see cref="KafkaOptions.MaxMessageBytes"/> or has no route fails here. Kafka need not be reachable. Where there is
/// no transaction (none was given, and no handler of an inbox with transactions runs), the message is stored by itself: a crash between the application's
/// write and the enqueuing, or the other way round, leaves one of them.
/// </remarks>
/// <example>
/// <code>
/// // MongoDB: the order and its event commit together, or not at all.
/// using var session = await client.StartSessionAsync(cancellationToken: token);
/// await session.WithTransactionAsync(async (transaction, stop) =&gt;
/// {
///     await orders.InsertOneAsync(transaction, order, cancellationToken: stop);
///     return await outbox.WithSession(transaction).EnqueueAsync("orders", order, key: order.OrderId, cancellationToken: stop);
/// }, cancellationToken: token);
/// </code>
/// </example>
public interface IOutbox
{
    /// <summary>Lists, retries and discards messages that were set aside.</summary>
    IOutboxSetAside SetAside { get; }

    /// <summary>The same outbox, enqueuing in a transaction of the application.</summary>
    /// <param name="session">The transaction, of a type that the store knows (MongoDB: <c>IClientSessionHandle</c> in a transaction). The application
    /// commits it.</param>
    IOutbox WithSession(object session);

    /// <summary>
    /// Stores one message. Completes when it is stored: with the transaction, or by itself where there is none. The order of a key is the order of these
    /// calls where one waits for the other; of transactions that write the same document, it is the order of their commits.
    /// </summary>
    /// <param name="topic">The topic's name, or the logical name that <c>KAFKA_TOPIC_*</c> maps.</param>
    /// <param name="message">As <see cref="IKafkaProducer.SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/> takes it.</param>
    /// <param name="key">Messages of one key are sent in order. Without a key they are not.</param>
    /// <param name="options">Headers, partition, timestamp, where wanted.</param>
    /// <param name="cancellationToken">Cancels the storing.</param>
    /// <returns>The message's id: the header <c>message-id</c>, by which an inbox recognizes a duplicate.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="message"/> is null: see
    /// <see cref="EnqueueTombstoneAsync(string, MessageKey, SendOptions?, CancellationToken)"/>.</exception>
    /// <exception cref="ArgumentException">The topic's name is not legal.</exception>
    /// <exception cref="KafkaSendException">It cannot be serialized, or it is too large.</exception>
    /// <exception cref="StoreUnavailableException">The store did not answer: it may or may not be stored.</exception>
    ValueTask<string> EnqueueAsync<T>(
        string topic, T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Stores text as it is (UTF-8). See <see cref="EnqueueAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    [OverloadResolutionPriority(2)]
    ValueTask<string> EnqueueAsync(
        string topic, string message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Stores bytes as they are. See <see cref="EnqueueAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    [OverloadResolutionPriority(2)]
    ValueTask<string> EnqueueAsync(
        string topic, byte[] message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Refuses a collection, as <see cref="IKafkaProducer.SendAsync{T}(string, IEnumerable{T}, MessageKey, SendOptions?, CancellationToken)"/> does: did you
    /// mean <c>EnqueueManyAsync</c>?
    /// </summary>
    /// <exception cref="ArgumentException">Always, except for dictionaries and JSON nodes.</exception>
    [OverloadResolutionPriority(1)]
    ValueTask<string> EnqueueAsync<T>(
        string topic, IEnumerable<T> message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Stores a message for the topic of its route, with the route's key, headers and serializer; otherwise as
    /// <see cref="EnqueueAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    /// <exception cref="MessageRouteNotFoundException">No route is declared for the type, or several are and none is nearer.</exception>
    [OverloadResolutionPriority(-1)]
    ValueTask<string> EnqueueAsync<T>(T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Stores a message with a null value: in a compacted topic it deletes <paramref name="key"/>.</summary>
    /// <exception cref="ArgumentException"><paramref name="key"/> is none, or the topic's name is not legal.</exception>
    ValueTask<string> EnqueueTombstoneAsync(
        string topic, MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Stores a tombstone for the topic of a type's route; otherwise as
    /// <see cref="EnqueueTombstoneAsync(string, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    /// <exception cref="MessageRouteNotFoundException">No route is declared for <typeparamref name="T"/>.</exception>
    ValueTask<string> EnqueueTombstoneAsync<T>(MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Stores many messages with one call to the store, in order, all or none of them.</summary>
    /// <returns>Their ids, in the order of <paramref name="messages"/>.</returns>
    /// <exception cref="KafkaSendException">One of them cannot be serialized, or is too large; none is stored.</exception>
    Task<IReadOnlyList<string>> EnqueueManyAsync<T>(
        string topic, IEnumerable<T> messages, Func<T, MessageKey>? key = null, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Stores many messages, each for the topic of its route; otherwise as
    /// <see cref="EnqueueManyAsync{T}(string, IEnumerable{T}, Func{T, MessageKey}?, SendOptions?, CancellationToken)"/>.</summary>
    /// <exception cref="MessageRouteNotFoundException">One of them has no route; none is stored.</exception>
    [OverloadResolutionPriority(-1)]
    Task<IReadOnlyList<string>> EnqueueManyAsync<T>(
        IEnumerable<T> messages, SendOptions? options = null, CancellationToken cancellationToken = default);
}
