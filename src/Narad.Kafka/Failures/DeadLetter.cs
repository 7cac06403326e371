using Narad.Kafka.Failures;
using Narad.Kafka.Serialization;

namespace Narad.Kafka;

/// <summary>
/// A message that could not be handled, as its record in a dead-letter topic tells. What the record does not say, or not in a form that could be this
/// library's, is null: others may write there too, so nothing here is more to be trusted than who may write to the topic.
/// </summary>
public sealed class DeadLetter
{
    private static readonly MessageDecoder Json = new(new KafkaOptions());

    private readonly byte[]? _value;

    /// <summary>Creates one, for tests of what reads them.</summary>
    /// <param name="position">The coordinates in the dead-letter topic.</param>
    /// <param name="time">When it became a dead letter.</param>
    /// <param name="key">The message's key.</param>
    /// <param name="value">The message's value; null for a tombstone.</param>
    /// <param name="headers">The message's headers, with ours behind them.</param>
    public DeadLetter(TopicPartitionOffsetId position, DateTimeOffset time, MessageKey key, byte[]? value, MessageHeaders headers)
    {
        ArgumentNullException.ThrowIfNull(headers);
        Position = position;
        Time = time;
        Key = key;
        _value = value;
        Headers = headers;
    }

    /// <summary>The coordinates in the dead-letter topic.</summary>
    public TopicPartitionOffsetId Position { get; }

    /// <summary>When it became a dead letter, UTC: the record's timestamp.</summary>
    public DateTimeOffset Time { get; }

    /// <summary>The message's key.</summary>
    public MessageKey Key { get; }

    /// <summary>The message's value as it is; null for a tombstone.</summary>
    public ReadOnlyMemory<byte>? Value => _value is null ? default(ReadOnlyMemory<byte>?) : new ReadOnlyMemory<byte>(_value);

    /// <summary>All headers: the application's, then ours. Not to be changed.</summary>
    public MessageHeaders Headers { get; }

    /// <summary>The topic that the message was in at first. <c>narad-topic</c>.</summary>
    public string? SourceTopic => FailureHeaders.TextOf(Headers, FailureHeaders.Topic);

    /// <summary>Its partition there. <c>narad-partition</c>.</summary>
    public int? SourcePartition => FailureHeaders.NumberOf(Headers, FailureHeaders.Partition) is >= 0 and <= int.MaxValue and { } partition
        ? (int)partition : null;

    /// <summary>Its offset there. <c>narad-offset</c>.</summary>
    public long? SourceOffset => FailureHeaders.NumberOf(Headers, FailureHeaders.Offset) is >= 0 and { } offset ? offset : null;

    /// <summary>When it was sent there. <c>narad-timestamp</c>.</summary>
    public DateTimeOffset? SourceTime => FailureHeaders.NumberOf(Headers, FailureHeaders.Timestamp) is { } time && time >= 0
        && time <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
        ? DateTimeOffset.FromUnixTimeMilliseconds(time)
        : null;

    /// <summary>The group that could not handle it. <c>narad-group</c>.</summary>
    public string? Group => FailureHeaders.TextOf(Headers, FailureHeaders.Group);

    /// <summary>How many attempts it had through the retry topic; 0 where it never was there. <c>retry</c>.</summary>
    public int Attempts => (int)Math.Clamp(FailureHeaders.NumberOf(Headers, FailureHeaders.Retry) ?? 0, 0, int.MaxValue);

    /// <summary>The full name of the exception's type. <c>narad-exception-type</c>.</summary>
    public string? ExceptionType => FailureHeaders.TextOf(Headers, FailureHeaders.ExceptionType);

    /// <summary>The exception's message, 1,024 characters at most. <c>narad-exception-message</c>.</summary>
    public string? ExceptionMessage => FailureHeaders.TextOf(Headers, FailureHeaders.ExceptionMessage);

    /// <summary>The exception's stack trace, 4,096 characters at most. <c>narad-exception-stack</c>.</summary>
    public string? ExceptionStack => FailureHeaders.TextOf(Headers, FailureHeaders.ExceptionStack);

    /// <summary>
    /// When and by whom the message was sent again before it failed once more, and where its dead letter was then; null where it was not.
    /// <c>narad-redriven</c>.
    /// </summary>
    public string? Redriven => FailureHeaders.RedrivenOf(Headers);

    internal byte[]? RawValue => _value;

    internal MessageDecoder Decoder { get; init; } = Json;

    /// <summary>The message itself, through the service's deserializer; the default of <typeparamref name="T"/> for a tombstone.</summary>
    /// <exception cref="MessageDeserializationException">The value is not a <typeparamref name="T"/>, which may be why it is here.</exception>
    public ValueTask<T?> ReadAsync<T>(CancellationToken cancellationToken = default) => ReadAsync<T>(Decoder, cancellationToken);

    /// <summary>The message itself, through the deserializer of the subscription that could not handle it.</summary>
    /// <inheritdoc cref="ReadAsync{T}(CancellationToken)"/>
    public ValueTask<T?> ReadAsync<T>(IMessageDeserializer deserializer, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(deserializer);
        return ReadAsync<T>(new MessageDecoder(new KafkaOptions(), deserializer), cancellationToken);
    }

    /// <summary>Which dead letter this is, for logs: nothing of what it says.</summary>
    public override string ToString() => Position.ToString();

    private async ValueTask<T?> ReadAsync<T>(MessageDecoder decoder, CancellationToken cancellationToken)
    {
        if (_value is null)
        {
            return default;
        }

        // As the handler's deserializer saw it, so far as the record tells.
        var context = new MessageContext
        {
            Topic = SourceTopic ?? Position.Topic,
            Partition = SourcePartition ?? Position.Partition,
            Offset = SourceOffset ?? Position.Offset,
            Timestamp = SourceTime ?? Time,
            Group = Group ?? "",
            Key = Key,
            Headers = FailureHeaders.WithoutOurs(Headers),
            RawValue = _value,
        };
        return await decoder.DecodeAsync<T>(_value, context, cancellationToken).ConfigureAwait(false);
    }
}
