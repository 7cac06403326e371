using Confluent.Kafka;

namespace Narad.Kafka.Consuming;

/// <summary>Messages as <c>Consume</c> returns them: works with any Confluent.Kafka, at about twice the cost of <see cref="NativeMessages"/>.</summary>
internal sealed class ClientMessages(IConsumer<byte[]?, byte[]?> client) : IMessageSource
{
    public TopicPartitionOffset? End { get; private set; }

    public bool TryTake(TimeSpan timeout, out ReceivedMessage message)
    {
        End = null;
        var result = Consume(timeout);
        if (result is not { IsPartitionEOF: false })
        {
            End = result?.TopicPartitionOffset;
            message = default;
            return false;
        }

        message = Of(result);
        return true;
    }

    // Confluent.Kafka cannot read an error without a text and throws its own failure to do so. That the client failed for good, if so, is reported on its own.
    private ConsumeResult<byte[]?, byte[]?>? Consume(TimeSpan timeout)
    {
        try
        {
            return client.Consume(timeout);
        }
        catch (InvalidOperationException error) when (error is not ObjectDisposedException)
        {
            throw new ConsumeException(new ConsumeResult<byte[], byte[]>(), new Error(ErrorCode.Local_Fail, error.Message), error);
        }
    }

    public static ReceivedMessage Of(ConsumeResult<byte[]?, byte[]?> result)
    {
        var received = result.Message;
        return new ReceivedMessage(
            result.TopicPartition,
            result.Offset.Value,
            received.Key,
            received.Value,
            received.Timestamp.UnixTimestampMs,
            HeadersOf(received.Headers),
            result.LeaderEpoch ?? -1,
            received.Timestamp.Type is TimestampType.LogAppendTime);
    }

    private static MessageHeaders? HeadersOf(Headers? received)
    {
        if (received is not { Count: > 0 })
        {
            return null;
        }

        var headers = new MessageHeaders();
        foreach (var header in received)
        {
            headers.AddReceived(header.Key, header.GetValueBytes());
        }

        return headers;
    }
}
