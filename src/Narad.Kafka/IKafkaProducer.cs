using System.Runtime.CompilerServices;

namespace Narad.Kafka;

/// <summary>
/// Sends messages: the part of <see cref="IKafkaService"/> that application code needs, without subscriptions and administration. <c>AddNaradKafka()</c>
/// registers it. Thread-safe.
/// </summary>
/// <example>
/// <code>
/// public sealed class Checkout(IKafkaProducer kafka)
/// {
///     public async Task PlaceAsync(OrderPlaced order, CancellationToken token) =&gt;
///         await kafka.SendAsync("orders", order, key: order.OrderId, cancellationToken: token);
/// }
/// </code>
/// </example>
public interface IKafkaProducer
{
    /// <summary>
    /// Sends one message and completes when the broker acknowledged it. The order of sends is fixed when this method is called. Cancelling removes a
    /// message that still waits in the send queue; once the client has the message, it stops only the waiting. The exception says which it was.
    /// </summary>
    /// <param name="topic">The topic's name, or the logical name that <c>KAFKA_TOPIC_*</c> maps.</param>
    /// <param name="message">Text and bytes (<c>byte[]</c>, <c>ReadOnlyMemory&lt;byte&gt;</c>, <c>Memory&lt;byte&gt;</c>, <c>ArraySegment&lt;byte&gt;</c>,
    /// <c>ReadOnlySequence&lt;byte&gt;</c>, <c>ImmutableArray&lt;byte&gt;</c>) go as they are, everything else as JSON.</param>
    /// <param name="key">Chooses the partition; default: none (a random, sticky partition).</param>
    /// <param name="options">Headers, partition, timestamp, where wanted.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <exception cref="ArgumentNullException"><paramref name="message"/> is null: see
    /// <see cref="SendTombstoneAsync(string, MessageKey, SendOptions?, CancellationToken)"/>.</exception>
    /// <exception cref="ArgumentException">The topic's name is not legal.</exception>
    /// <exception cref="KafkaNotConnectedException">The sending side is not connected.</exception>
    /// <exception cref="KafkaSendException">The message was not acknowledged.</exception>
    /// <example>
    /// <code>
    /// var sent = await kafka.SendAsync("orders", order, key: order.OrderId, cancellationToken: token);
    /// Console.WriteLine($"{sent.Topic}[{sent.Partition}]@{sent.Offset}");
    /// </code>
    /// </example>
    ValueTask<SendResult> SendAsync<T>(
        string topic, T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Sends text as it is (UTF-8). See <see cref="SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    [OverloadResolutionPriority(2)]
    ValueTask<SendResult> SendAsync(
        string topic, string message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Sends bytes as they are. See <see cref="SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    [OverloadResolutionPriority(2)]
    ValueTask<SendResult> SendAsync(
        string topic, byte[] message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Refuses a collection: did you mean <c>SendManyAsync</c>? To send the collection as one message name its type:
    /// <c>SendAsync&lt;Order[]&gt;(topic, orders)</c>. Dictionaries and <c>JsonNode</c>s are single messages and are sent.
    /// </summary>
    /// <exception cref="ArgumentException">Always, except for dictionaries and JSON nodes.</exception>
    [OverloadResolutionPriority(1)]
    ValueTask<SendResult> SendAsync<T>(
        string topic, IEnumerable<T> message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Sends a message to the topic of its route (<see cref="KafkaOptions.Routes"/>), with the route's key, headers and serializer; otherwise as
    /// <see cref="SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>. The route is that of the message's own type, else of its nearest
    /// base class, else of the most specific interface it implements; of an envelope, that of what it carries.
    /// </summary>
    /// <param name="message">The message; not null.</param>
    /// <param name="key">Chooses the partition; default: what the route's <c>KeySelector</c> says.</param>
    /// <param name="options">Headers (after the route's), partition, timestamp, where wanted.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <exception cref="MessageRouteNotFoundException">No route is declared for the type, or several are and none is nearer.</exception>
    /// <exception cref="ArgumentNullException"><paramref name="message"/> is null.</exception>
    /// <exception cref="KafkaNotConnectedException">The sending side is not connected.</exception>
    /// <exception cref="KafkaSendException">The message was not acknowledged.</exception>
    [OverloadResolutionPriority(-1)]
    ValueTask<SendResult> SendAsync<T>(T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Sends a tombstone to the topic of a type's route; otherwise as
    /// <see cref="SendTombstoneAsync(string, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    /// <exception cref="MessageRouteNotFoundException">No route is declared for <typeparamref name="T"/>.</exception>
    ValueTask<SendResult> SendTombstoneAsync<T>(MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Sends many messages, each to the topic of its route, in order and without waiting for one before sending the next; completes when all are
    /// acknowledged. Order is kept within each topic.
    /// </summary>
    /// <returns>One result a message, in the order of <paramref name="messages"/>.</returns>
    /// <exception cref="KafkaNotConnectedException">The sending side is not connected.</exception>
    /// <exception cref="KafkaSendManyException">Some failed; it says which and why. A message without a route is one of them.</exception>
    [OverloadResolutionPriority(-1)]
    Task<IReadOnlyList<SendResult>> SendManyAsync<T>(
        IEnumerable<T> messages, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Sends a message with a null value: in a compacted topic it deletes <paramref name="key"/>.</summary>
    /// <exception cref="ArgumentException"><paramref name="key"/> is null: a tombstone without a key deletes nothing. Or the topic's name is not
    /// legal.</exception>
    /// <exception cref="KafkaNotConnectedException">The sending side is not connected.</exception>
    /// <exception cref="KafkaSendException">The message was not acknowledged.</exception>
    /// <example>
    /// <code>
    /// await kafka.SendTombstoneAsync("customers", key: "customer-7", cancellationToken: token);   // compaction removes the key's earlier messages
    /// </code>
    /// </example>
    ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Sends many messages, in order and without waiting for one before sending the next; completes when all are acknowledged.
    /// </summary>
    /// <returns>One result a message, in the order of <paramref name="messages"/>.</returns>
    /// <exception cref="ArgumentException">The topic's name is not legal.</exception>
    /// <exception cref="KafkaNotConnectedException">The sending side is not connected.</exception>
    /// <exception cref="KafkaSendManyException">Some failed; it says which and why, and what became of the others.</exception>
    /// <example>
    /// <code>
    /// await kafka.SendManyAsync("orders", orders, key: order =&gt; order.OrderId, cancellationToken: token);
    /// </code>
    /// </example>
    Task<IReadOnlyList<SendResult>> SendManyAsync<T>(
        string topic, IEnumerable<T> messages, Func<T, MessageKey>? key = null, SendOptions? options = null, CancellationToken cancellationToken = default);
}
