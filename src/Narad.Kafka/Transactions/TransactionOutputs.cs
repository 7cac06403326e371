using System.Collections.Concurrent;
using Confluent.Kafka;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Producing;
using Narad.Kafka.Serialization;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Transactions;

/// <summary>
/// What handlers send in transactions: middleware, trace context and serialization as with every other send of the service, then the transactional client.
/// What one handler sends is written in the order of its calls. It never ends a transaction, and sends nothing in one that is over.
/// </summary>
/// <remarks>Thread-safe: one instance serves all transactions of a group.</remarks>
internal sealed class TransactionOutputs(KafkaOptions options, IKafkaTopics? creates, TimeProvider time)
{
    /// <summary>Where messages go that are sent by their type.</summary>
    public IMessageRoutes Routes => options.Routes;

    private const int MostCreated = 1_000;

    private static readonly TimeSpan RoomCheck = TimeSpan.FromMilliseconds(5);

    private readonly MessageEncoder _encoder = new(options);
    private readonly ISendMiddleware[] _middleware = [.. options.SendMiddleware];
    private readonly RealNames _names = new(options);

    // At most MostCreated entries: a topic that is not remembered is looked up again.
    private readonly ConcurrentDictionary<string, Task> _created = new(StringComparer.Ordinal);

    public async ValueTask<SendResult> SendAsync(TransactionEntry entry, string topic, object? message, Type type, MessageKey key, SendOptions? sendOptions,
        CancellationToken cancellationToken)
    {
        MessageProducer.Validate(sendOptions);
        cancellationToken.ThrowIfCancellationRequested();
        var outgoing = new OutgoingMessage
        {
            Topic = _names.Of(topic),
            Message = RawSerialization.Owned(message, out _),
            MessageType = type,
            Key = key.Owned(),
            Headers = sendOptions?.Headers?.Owned() ?? [],
            Partition = sendOptions?.Partition,
            Timestamp = sendOptions?.Timestamp,
            Serializer = sendOptions?.Serializer,
        };
        var (before, placed) = entry.TakePlace();
        using var activity = TraceHeaders.Wanted ? TraceHeaders.Start(outgoing.Topic, key, options.ClientId) : default;
        try
        {
            if (TraceHeaders.Wanted)
            {
                TraceHeaders.InjectInto(outgoing.Headers);
            }

            var result = await NextAsync(entry, 0, outgoing, outgoing.Topic, before, placed, cancellationToken).ConfigureAwait(false);
            TraceHeaders.Delivered(activity, result);
            return result;
        }
        catch (Exception error)
        {
            TraceHeaders.Failed(activity, error);
            if (placed.TrySetException(error))
            {
                _ = placed.Task.Exception;   // the sender's to see, where it awaits
            }

            throw;
        }
        finally
        {
            placed.TrySetResult();   // middleware may answer without sending
        }
    }

    /// <summary>Sends a message again as it came, to a named partition, past middleware, tracing and serializers.</summary>
    public Task<SendResult> ForwardAsync(TransactionEntry entry, string topic, byte[]? key, byte[]? value, MessageHeaders headers, int partition) =>
        ProduceAsync(entry, new TopicPartition(topic, partition), MessageKey.From(key), key, value, headers, timestamp: null, CancellationToken.None);

    private ValueTask<SendResult> NextAsync(
        TransactionEntry entry, int index, OutgoingMessage message, string asked, Task before, TaskCompletionSource placed, CancellationToken cancellationToken)
    {
        if (index < _middleware.Length)
        {
            return _middleware[index].SendAsync(message, (next, token) => NextAsync(entry, index + 1, next, asked, before, placed, token), cancellationToken);
        }

        MessageProducer.Conclude(message, asked, _names);
        return EncodeAndSendAsync(entry, message, before, placed, cancellationToken);
    }

    private async ValueTask<SendResult> EncodeAndSendAsync(TransactionEntry entry, OutgoingMessage message, Task before, TaskCompletionSource placed,
        CancellationToken cancellationToken)
    {
        byte[]? value;
        try
        {
            value = message.Message is null ? null : await _encoder.EncodeAsync(
                message.Message, message.MessageType, message.Topic, message.Headers, message.Serializer, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            throw SendFailure.NotSerialized(message.Topic, message.Key, error);
        }

        await before.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        await CreatedAsync(message.Topic).WaitAsync(cancellationToken).ConfigureAwait(false);
        var key = message.Key.WireBytes;
        var size = SendSize.Of(key, value, [.. message.Headers]);
        if (size > options.MaxMessageBytes)
        {
            throw SendFailure.InTransaction(message.Topic, message.Key, ErrorCode.MsgSizeTooLarge, $"the message is too large: it has {size} bytes "
                + $"with key and headers, and Kafka:MaxMessageBytes is {options.MaxMessageBytes}", retriable: false);
        }

        var to = new TopicPartition(message.Topic, message.Partition is { } partition ? new Partition(partition) : Partition.Any);
        var sending = ProduceAsync(entry, to, message.Key, key, value, message.Headers, message.Timestamp, cancellationToken, placed);
        return await sending.Observe().WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    // Completes with the broker's answer; cancelling stops the waiting for room, not the message.
    private async Task<SendResult> ProduceAsync(
        TransactionEntry entry,
        TopicPartition to,
        MessageKey key,
        byte[]? keyBytes,
        byte[]? value,
        MessageHeaders headers,
        DateTimeOffset? timestamp,
        CancellationToken cancellationToken,
        TaskCompletionSource? placed = null)
    {
        var record = new Message<byte[]?, byte[]?> { Key = keyBytes, Value = value, Headers = HeadersOf(headers) };
        if (timestamp is { } created)
        {
            record.Timestamp = new Timestamp(created.ToUnixTimeMilliseconds(), TimestampType.CreateTime);
        }

        var answer = new TaskCompletionSource<SendResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        while (true)
        {
            entry.ThrowIfOver();
            var refused = entry.Transaction.TryProduce(to, record, report => Reported(entry, to.Topic, key, report, answer));
            switch (refused.Code)
            {
                case ErrorCode.NoError:
                    entry.Sent(answer.Task);
                    placed?.TrySetResult();
                    return await answer.Task.ConfigureAwait(false);

                case ErrorCode.Local_QueueFull:
                    await Task.Delay(RoomCheck, time, cancellationToken).ConfigureAwait(false);
                    break;

                default:
                    // What the client refuses by itself was not written and ends nothing, unless it is the transaction that is ended.
                    var failure = Failure(to.Topic, key, refused);
                    if (failure.Retriable)
                    {
                        entry.SendRefused(failure);
                    }

                    throw failure;
            }
        }
    }

    private static void Reported(TransactionEntry entry, string topic, MessageKey key, DeliveryReport<byte[]?, byte[]?> report,
        TaskCompletionSource<SendResult> answer)
    {
        if (!report.Error.IsError)
        {
            answer.TrySetResult(new SendResult(topic, report.Partition.Value, report.Offset.Value));
            return;
        }

        // What our own abort gave back was not refused. What the client gives back by itself (it does so once after an abort that a refusal led to, to
        // number its messages anew) is to be sent in another transaction.
        var failure = Failure(topic, key, report.Error);
        if (!entry.Transaction.IsOver || report.Error.Code is not (ErrorCode.Local_PurgeQueue or ErrorCode.Local_PurgeInflight))
        {
            entry.SendRefused(failure);
        }

        answer.TrySetException(failure);
        _ = answer.Task.Exception;   // a handler may not await it: it has failed all the same
    }

    // With the client or its transaction ended, the message is not to blame.
    private static KafkaSendException Failure(string topic, MessageKey key, Error error) => SendFailure.InTransaction(
        topic,
        key,
        error.Code,
        error.Reason,
        retriable: error.IsFatal || SendFailure.IsRetriable(error.Code)
            || error.Code is ErrorCode.Local_State or ErrorCode.Local_Fatal or ErrorCode.Local_Fenced or ErrorCode.Local_Destroy
            or ErrorCode.ProducerFenced or ErrorCode.InvalidTxnState or ErrorCode.InvalidProducerIdMapping or ErrorCode.ConcurrentTransactions);

    // Where topics are created that are missing, before the first message: the client would wait for it in vain.
    private Task CreatedAsync(string topic)
    {
        if (creates is null)
        {
            return Task.CompletedTask;
        }

        if (_created.Count >= MostCreated && !_created.ContainsKey(topic))
        {
            _created.Clear();
        }

        var creating = _created.GetOrAdd(topic, static (name, topics) => topics.CreateIfNotExistsAsync([new TopicSpec(name)]), creates);
        if (creating is { IsFaulted: true } or { IsCanceled: true })
        {
            _created.TryRemove(new KeyValuePair<string, Task>(topic, creating));   // the next one tries again
        }

        return creating;
    }

    private static Headers HeadersOf(MessageHeaders headers)
    {
        var converted = new Headers();
        foreach (var header in headers)
        {
            converted.Add(header.Name, header.Value);
        }

        return converted;
    }
}
