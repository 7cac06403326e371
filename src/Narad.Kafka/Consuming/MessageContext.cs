using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using Narad.Kafka.Consuming;
using Narad.Kafka.Failures;
using Narad.Kafka.Producing;
using Narad.Kafka.Serialization;
using Narad.Kafka.Transactions;

namespace Narad.Kafka;

/// <summary>
/// Where a message came from. One per message; valid after the handler returned, except for <see cref="Services"/>.
/// Can be created in tests of handlers, without any broker.
/// </summary>
/// <example>
/// <code>
/// await kafka.SubscribeAsync&lt;OrderPlaced&gt;("orders", (order, context, token) =&gt;
/// {
///     Console.WriteLine($"{context.Topic}[{context.Partition}]@{context.Offset}, key {context.Key}, attempt {context.Attempt}");
///     return Task.CompletedTask;
/// });
/// </code>
/// </example>
public sealed class MessageContext
{
    // One per message: kept small.
    private MessageOrigin _origin = MessageOrigin.Unknown;
    private readonly long _ticks;
    private readonly byte[]? _value;
    private MessageHeaders? _headers;   // as they came, until Headers is asked for: then those, which know the ones that came

    /// <summary>Creates the context of a message that did not come from a broker.</summary>
    public MessageContext()
    {
    }

#pragma warning disable CS8618 // The origin has the topic.
    [SetsRequiredMembers]
    internal MessageContext(MessageOrigin origin) => _origin = origin;
#pragma warning restore CS8618

    /// <summary>The topic's real name.</summary>
    public required string Topic
    {
        get => _origin.Topic;
        init => _origin = _origin with { Topic = value };
    }

    /// <summary>The partition.</summary>
    public int Partition
    {
        get => _origin.Partition;
        init => _origin = _origin with { Partition = value };
    }

    /// <summary>The offset.</summary>
    public long Offset { get; init; }

    /// <summary>The key.</summary>
    public MessageKey Key { get; init; }

    /// <summary>
    /// The headers that the application sent; empty where there are none. May be passed on as they are: retry data and trace context are not among them. See
    /// <see cref="Retry"/>, <see cref="Original"/>, <see cref="PreviousFailure"/>, <see cref="Redriven"/> and <see cref="TraceParent"/>.
    /// </summary>
    public MessageHeaders Headers
    {
        get => _headers is { Received: not null } shown
            ? shown
            : _headers = (_headers is null ? [] : FailureHeaders.ForHandler(_headers, _origin.IsRetried)).ShownOf(_headers);
        init => _headers = value?.ShownOf(null);
    }

    /// <summary>The create time that the producer (or the append time that the broker) gave, UTC, millisecond precision.</summary>
    public DateTimeOffset Timestamp
    {
        get => new(_ticks, TimeSpan.Zero);
        init => _ticks = value.UtcTicks;
    }

    /// <summary>The consumer group.</summary>
    public string Group
    {
        get => _origin.Group;
        init => _origin = _origin with { Group = value };
    }

    /// <summary>
    /// 1 at the first invocation for this message, 2 at the first retry in memory …; begins again at 1 with each attempt through the retry topic.
    /// </summary>
    public int Attempt { get; internal set; } = 1;

    /// <summary>
    /// 0 from the topic itself; 1, 2, … at the first, second … attempt through the retry topic (0 there for a dead letter that was sent again).
    /// </summary>
    public int Retry
    {
        get => _origin.Retry;
        init => _origin = _origin with { Retry = value };
    }

    /// <summary>The coordinates of the message when it failed for the first time; its own, unless it came through a retry topic.</summary>
    public TopicPartitionOffsetId Original
    {
        get => _origin.Original ?? new TopicPartitionOffsetId(Topic, Partition, Offset);
        init => _origin = _origin with { Original = value };
    }

    /// <summary>
    /// The timestamp of the message at <see cref="Original"/>, UTC, millisecond precision; <see cref="Timestamp"/>, unless it came through a retry topic.
    /// </summary>
    public DateTimeOffset OriginalTimestamp
    {
        get => _origin.OriginalTimestamp ?? Timestamp;
        init => _origin = _origin with { OriginalTimestamp = value.ToUniversalTime() };
    }

    /// <summary>Why the attempt before this one failed, of a message that came through a retry topic; null elsewhere.</summary>
    public MessageFailure? PreviousFailure
    {
        get => _origin.Failure;
        init => _origin = _origin with { Failure = value };
    }

    /// <summary>
    /// Who sent the message again, when, and where its dead letter was; null where it is no dead letter that was sent again. Header <c>narad-redriven</c>.
    /// </summary>
    public string? Redriven => Received is { } received ? FailureHeaders.RedrivenOf(received) : null;

    /// <summary>
    /// What the handler's writes go through so that they commit together with the inbox's note: set where the subscription is
    /// <see cref="SubscriptionOptions.Once"/> and its inbox has transactions,
    /// only while the handler runs. For MongoDB call <c>context.GetMongoSession()</c>.
    /// </summary>
    [JsonIgnore]
    public object? StorageSession
    {
        get => _origin.StorageSession;
        set
        {
            if (!ReferenceEquals(value, _origin.StorageSession))
            {
                _origin = _origin with { StorageSession = value };
            }
        }
    }

    /// <summary>
    /// The W3C trace context of the sender; null where there is none. While somebody listens to the activity source <c>Narad.Kafka</c>, the handler's activity
    /// is its child and what the handler
    /// sends carries that one. A service without tracing passes this on as the header <c>traceparent</c>, and <see cref="TraceState"/> as <c>tracestate</c>.
    /// </summary>
    public string? TraceParent => Received?.GetText(TraceHeaders.TraceParent);

    /// <summary>The vendor's part of <see cref="TraceParent"/>.</summary>
    public string? TraceState => Received?.GetText(TraceHeaders.TraceState);

    /// <summary>
    /// The services of the message's scope: the handler's, where it is hosted and not a singleton, else the application's; null without a container.
    /// </summary>
    [JsonIgnore]
    public IServiceProvider? Services { get; internal set; }

    /// <summary>The value as it came; null for a tombstone.</summary>
    public ReadOnlyMemory<byte>? RawValue
    {
        get => _value is null ? default(ReadOnlyMemory<byte>?) : new ReadOnlyMemory<byte>(_value);
        init => _value = value is { } bytes ? MemoryMarshal.TryGetArray(bytes, out var array) && array.Array!.Length == array.Count ? array.Array
            : bytes.ToArray() : null;
    }

    /// <summary>
    /// Sends a message: in the transaction of this message where its subscription is <see cref="SubscriptionOptions.ExactlyOnce"/> (it then counts when that
    /// is committed, and not at all
    /// otherwise), through the service's producer elsewhere. Middleware, serializer, partitioner and options are those of <see cref="IKafkaService"/>.
    /// </summary>
    /// <param name="topic">The topic, as <see cref="IKafkaService"/> takes it.</param>
    /// <param name="message">The message; not null.</param>
    /// <param name="key">The key, which chooses the partition.</param>
    /// <param name="options">Headers, partition, timestamp.</param>
    /// <param name="cancellationToken">Stops the waiting, not the message. Pass on the handler's.</param>
    /// <returns>Where it was written; in a transaction it can be read there when that is committed.</returns>
    /// <exception cref="KafkaSendException">It was not acknowledged.</exception>
    /// <exception cref="KafkaNotConnectedException">The service's producer is not connected, or this context came from no service.</exception>
    /// <exception cref="InvalidOperationException">The transaction is over, or its handler has returned.</exception>
    public ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key = default, SendOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(topic);
        if (message is null)
        {
            throw new ArgumentNullException(nameof(message), "A null message cannot be sent. To delete a key from a compacted topic call "
                + "SendTombstoneAsync(topic, key).");
        }

        return Sending().SendAsync(topic, message, key, options, cancellationToken);
    }

    /// <inheritdoc cref="SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(2)]
    public ValueTask<SendResult> SendAsync(string topic, string message, MessageKey key = default, SendOptions? options = null,
        CancellationToken cancellationToken = default) =>
        SendAsync<string>(topic, message, key, options, cancellationToken);

    /// <inheritdoc cref="SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(2)]
    public ValueTask<SendResult> SendAsync(string topic, byte[] message, MessageKey key = default, SendOptions? options = null,
        CancellationToken cancellationToken = default) =>
        SendAsync<byte[]>(topic, message, key, options, cancellationToken);

    /// <summary>
    /// Sends a message to the topic of its route (<see cref="KafkaOptions.Routes"/>), as <see cref="IKafkaProducer"/> does; otherwise as
    /// <see cref="SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>.
    /// </summary>
    /// <param name="message">The message; not null.</param>
    /// <param name="key">The key, which chooses the partition; default: what the route's <c>KeySelector</c> says.</param>
    /// <param name="options">Headers (after the route's), partition, timestamp.</param>
    /// <param name="cancellationToken">Stops the waiting, not the message. Pass on the handler's.</param>
    /// <exception cref="MessageRouteNotFoundException">No route is declared for the type, or several are and none is nearer.</exception>
    [OverloadResolutionPriority(-1)]
    public ValueTask<SendResult> SendAsync<T>(T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        var sender = Sending();
        return sender.Routes.SendAsync(sender, message, key, options, cancellationToken);
    }

    /// <summary>Sends a tombstone to the topic of a type's route; otherwise as
    /// <see cref="SendTombstoneAsync(string, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    /// <exception cref="MessageRouteNotFoundException">No route is declared for <typeparamref name="T"/>.</exception>
    public ValueTask<SendResult> SendTombstoneAsync<T>(MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        var sender = Sending();
        return sender.Routes.SendTombstoneAsync<T>(sender, key, options, cancellationToken);
    }

    /// <summary>Sends a tombstone, which deletes a key from a compacted topic; otherwise as
    /// <see cref="SendAsync{T}(string, T, MessageKey, SendOptions?, CancellationToken)"/>.</summary>
    /// <exception cref="ArgumentException">There is no key.</exception>
    public ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(topic);
        if (key.IsNone)
        {
            throw new ArgumentException("A tombstone needs a key: without one it deletes nothing.", nameof(key));
        }

        return Sending().SendTombstoneAsync(topic, key, options, cancellationToken);
    }

    /// <summary>Which message this is, for logs: place, group and attempt; neither its key nor anything of what it says.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Topic}[{Partition}]@{Offset}{(Group.Length == 0 ? "" : $", group '{Group}'")}, attempt {Attempt}{(Retry == 0 ? "" : $", retry {Retry}")}");

    /// <summary>All headers, as they came. Not to be changed, and not to be handed out.</summary>
    internal MessageHeaders? Received
    {
        get => _headers is { Received: { } received } ? received : _headers;
        init => _headers = value;
    }

    /// <summary>Its message's transaction, or the service; null where it came from no service.</summary>
    internal IMessageSender? Sender
    {
        get => _origin.Sender;
        set
        {
            if (!ReferenceEquals(value, _origin.Sender))
            {
                _origin = _origin with { Sender = value };
            }
        }
    }

    /// <summary>Whether it was sent again so that it is handled although it was handled before (<see cref="RedriveOptions.HandleAgain"/>).</summary>
    internal bool IsForced => Received is { } received && FailureHeaders.IsForced(received);

    private IMessageSender Sending() =>
        Sender ?? throw new KafkaNotConnectedException("This context came from no service, so it is not connected to anything that sends.");

    // Where handlers are chosen by type: found by the deserializer, called by the handler.
    internal TypedHandler? TypedHandler
    {
        get => _origin.TypedHandler;
        set => _origin = _origin.HandledBy(value!);
    }
}
