using System.Diagnostics;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Serialization;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>
/// The sending side of one service: middleware, trace context and serialization in front of the <see cref="SendQueue"/>. It never changes the order in which
/// its methods were called, whatever these take.
/// </summary>
/// <remarks>Thread-safe. A send without middleware, listener and asynchronous serializer runs from call to client on the caller's thread.</remarks>
internal sealed class MessageProducer : IAsyncDisposable
{
    /// <summary>How many messages of one <c>SendManyAsync</c> may be without an answer: what bounds its memory.</summary>
    internal const int ManyWindow = 20_000;

    // How many middlewares the current code runs within: what they send must not wait for what waits for them.
    private static readonly AsyncLocal<int> MiddlewareDepth = new();

    private readonly KafkaOptions _options;
    private readonly MessageEncoder _encoder;
    private readonly ISendMiddleware[] _middleware;
    private readonly SendQueue _queue;
    private readonly RealNames _names;

    public MessageProducer(ITransport transport, KafkaOptions options, KafkaDiagnostics diagnostics)
        : this(transport, options, diagnostics, generation => transport.Mode == KafkaMode.Console
            ? new ConsoleProducerClient(diagnostics, Console.Out)
            : new KafkaProducerClient(
                transport.Clients.Producer(), diagnostics, generation.Fail, options.MaxMessageBytes, tokens: transport.Tokens, admin: transport.Admin))
    {
    }

    /// <summary>For tests that bring a client of their own.</summary>
    internal MessageProducer(ITransport transport, KafkaOptions options, KafkaDiagnostics diagnostics, Func<ProducerGeneration, IProducerClient> build)
    {
        _options = options;
        _encoder = new MessageEncoder(options);
        _middleware = [.. options.SendMiddleware];
        _names = new RealNames(options);
        var creates = options.CreatesTopics(transport.Mode);
        _queue = new SendQueue(build, creates ? transport.Topics
            : null, transport.Backpressure, learnLimits: transport.Mode == KafkaMode.Kafka, options.SendTimeout, diagnostics)
        {
            MaxMessageBytes = options.MaxMessageBytes,
        };
    }

    /// <summary>State and reason, for the health check.</summary>
    public ProducerHealth Health => _queue.Health;

    /// <summary>Accepted and without an outcome.</summary>
    public long InFlight => _queue.InFlight;

    /// <summary>Topics that something is remembered of.</summary>
    internal int Topics => _queue.Topics;

    /// <summary>Acknowledged so far.</summary>
    public long Delivered => _queue.Delivered;

    /// <summary>Builds the client; the caller has probed the broker. A second call does nothing.</summary>
    public Task ConnectAsync(CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return Task.Run(_queue.Open, ct);
    }

    public ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key, SendOptions? options, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(message);
        _queue.ThrowIfNotConnected();
        Validate(options);
        if (ct.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<SendResult>(ct);
        }

        if (_middleware.Length > 0)
        {
            return SendThroughMiddlewareAsync(topic, message, typeof(T), key, options, ct);
        }

        return TraceHeaders.Wanted
            ? SendTracedAsync(topic, message, typeof(T), key, options, ct)
            : SendPlain(topic, message, key, options, ct);
    }

    public ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options, CancellationToken ct)
    {
        if (key.IsNone)
        {
            throw new ArgumentException("A tombstone without a key deletes nothing: name the key that is to be deleted.", nameof(key));
        }

        _queue.ThrowIfNotConnected();
        Validate(options);
        if (ct.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<SendResult>(ct);
        }

        if (_middleware.Length > 0)
        {
            return SendThroughMiddlewareAsync(topic, message: null, typeof(object), key, options, ct);
        }

        return TraceHeaders.Wanted
            ? SendTracedAsync(topic, message: null, typeof(object), key, options, ct)
            : Accept(topic, payload: null, key, options?.Headers, options?.Partition, options?.Timestamp, ct);
    }

    /// <summary>Says that a topic is there, created as it has to be: its sends wait for no look, and do not create it anew where somebody deletes it.</summary>
    public void Assure(string topic) => _queue.Assure(topic);

    /// <summary>Sends a message as it is, past middleware, tracing and serializers.</summary>
    public ValueTask<SendResult> ForwardAsync(string topic, byte[]? key, byte[]? value, MessageHeaders headers, int? partition, CancellationToken ct,
        DateTimeOffset? timestamp = null)
    {
        _queue.ThrowIfNotConnected();
        return ct.IsCancellationRequested
            ? ValueTask.FromCanceled<SendResult>(ct)
            : Accept(topic, value, MessageKey.From(key), headers, partition, timestamp, ct, isForwarded: true);
    }

    /// <summary>Issues all in order, without waiting for one before the next; what is without an answer is bounded by <see cref="ManyWindow"/>.</summary>
    public Task<IReadOnlyList<SendResult>> SendManyAsync<T>(
        string topic, IEnumerable<T> messages, Func<T, MessageKey>? key, SendOptions? options, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return SendEachAsync(
            topic, messages, message => SendAsync(topic, message, key is null ? MessageKey.None : key(message), options, CancellationToken.None), options, ct);
    }

    /// <inheritdoc cref="SendManyAsync{T}(string, IEnumerable{T}, Func{T, MessageKey}?, SendOptions?, CancellationToken)"/>
    /// <param name="topic">The topic's real name, for errors.</param>
    /// <param name="messages">The messages.</param>
    /// <param name="send">Sends one of them. Not with the caller's token: a registration each would cost more than the send; the waiting is what it
    /// cancels.</param>
    /// <param name="options">Headers, partition, timestamp of all.</param>
    /// <param name="ct">Cancels the waiting.</param>
    public async Task<IReadOnlyList<SendResult>> SendEachAsync<T>(
        string topic, IEnumerable<T> messages, Func<T, ValueTask<SendResult>> send, SendOptions? options, CancellationToken ct)
    {
        _queue.ThrowIfNotConnected();
        Validate(options);
        ct.ThrowIfCancellationRequested();

        var pending = new Queue<ValueTask<SendResult>>();
        var results = new List<SendResult?>();
        Dictionary<int, Exception>? failures = null;
        foreach (var message in messages)
        {
            if (ct.IsCancellationRequested)
            {
                throw Cancelled();
            }

            if (pending.Count >= ManyWindow)
            {
                await TakeAsync(pending.Dequeue()).ConfigureAwait(false);
            }

            ValueTask<SendResult> sent;
            try
            {
                sent = send(message);
            }
            catch (Exception exception)
            {
                sent = ValueTask.FromException<SendResult>(exception);
                if (exception is KafkaNotConnectedException)
                {
                    pending.Enqueue(sent);
                    break;
                }
            }

            pending.Enqueue(sent);
        }

        while (pending.TryDequeue(out var next))
        {
            await TakeAsync(next).ConfigureAwait(false);
        }

        if (failures is null)
        {
            return results.ConvertAll(static result => result!.Value);
        }

        var (first, reason) = failures.First();
        throw new KafkaSendManyException(
            $"{failures.Count} of {results.Count} messages to topic '{topic}' were not acknowledged; the first is number {first + 1}: "
                + $"{ExceptionText.Message(reason)}",
            results,
            failures);

        // Those that were issued are not cancelled one by one: the client may have any of them.
        KafkaSendCanceledException Cancelled() => new(
            $"Sending many messages to topic '{topic}' was cancelled. Those that were issued so far keep being sent and may be written; the others were not "
                + $"sent.",
            topic,
            mayHaveBeenWritten: results.Count > 0 || pending.Count > 0,
            ct);

        async ValueTask TakeAsync(ValueTask<SendResult> send)
        {
            try
            {
                results.Add(send.IsCompleted || !ct.CanBeCanceled
                    ? await send.ConfigureAwait(false)
                    : await send.AsTask().Observe().WaitAsync(ct).ConfigureAwait(false));
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                throw Cancelled();
            }
            catch (Exception exception)
            {
                (failures ??= []).Add(results.Count, exception);
                results.Add(null);
            }
        }
    }

    public Task<SendCounts> StopAsync(TimeSpan timeout) => _queue.StopAsync(timeout);

    public async ValueTask DisposeAsync() => await _queue.StopAsync(_options.ShutdownTimeout).ConfigureAwait(false);

    internal static void Validate(SendOptions? options)
    {
        if (options is not null)
        {
            Validate(options.Partition, options.Timestamp, nameof(SendOptions), nameof(options));
        }
    }

    // To the client −1 is "any partition" and a time of 0 is "now".
    private static void Validate(int? partition, DateTimeOffset? timestamp, string owner, string parameter)
    {
        if (partition < 0)
        {
            throw new ArgumentOutOfRangeException(parameter, partition, $"{owner}.Partition must be 0 or more; leave it out to have it chosen from the key.");
        }

        if (timestamp?.ToUnixTimeMilliseconds() <= 0)
        {
            throw new ArgumentOutOfRangeException(
                parameter, timestamp,
                    $"{owner}.Timestamp must be 1970-01-01T00:00:00.001Z or later, because Kafka's time begins there; leave it out for the time of sending.");
        }
    }

    /// <summary>Checks what middleware made of a message, and gives it the real name of a topic that middleware chose.</summary>
    /// <param name="message">The message at the end of its middleware.</param>
    /// <param name="asked">The real name of the topic that it was sent to.</param>
    /// <param name="names">The real names of topics.</param>
    internal static void Conclude(OutgoingMessage message, string asked, RealNames names)
    {
        if (!string.Equals(message.Topic, asked, StringComparison.Ordinal))
        {
            message.Topic = names.Of(message.Topic);
        }

        Validate(message.Partition, message.Timestamp, nameof(OutgoingMessage), nameof(message));
    }

    private ValueTask<SendResult> SendPlain<T>(string topic, T message, MessageKey key, SendOptions? options, CancellationToken ct)
    {
        try
        {
            if (options?.Serializer is null && _encoder.TryEncode(message, out var payload))
            {
                return Accept(
                    topic, payload, key, options?.Headers, options?.Partition, options?.Timestamp, ct, borrowsPayload: RawSerialization.IsBytes(message));
            }
        }
        catch (Exception exception) when (exception is not (KafkaNotConnectedException or KafkaSendException))
        {
            return ValueTask.FromException<SendResult>(SendFailure.NotSerialized(topic, key, exception));
        }

        return SendEncoding(topic, message!, typeof(T), key, options?.Headers, options?.Partition, options?.Timestamp, options?.Serializer, ct);
    }

    // Through the application's serializer: its place is taken now, and kept while it works.
    private ValueTask<SendResult> SendEncoding(
        string topic, object message, Type type, MessageKey key, MessageHeaders? headers, int? partition, DateTimeOffset? timestamp,
        IMessageSerializer? serializer, CancellationToken ct)
    {
        MessageHeaders own = headers is null ? new() : _encoder.IsSynchronous && serializer is null ? new(headers) : headers.Owned();
        ValueTask<byte[]> encoding;
        try
        {
            encoding = _encoder.EncodeAsync(message, type, topic, own, serializer, ct);
            if (encoding.IsCompletedSuccessfully)
            {
                return Accept(topic, encoding.Result, key, own, partition, timestamp, ct, borrowsPayload: IsBorrowed(message, serializer));
            }
        }
        catch (Exception exception) when (exception is not (KafkaNotConnectedException or KafkaSendException))
        {
            return ValueTask.FromException<SendResult>(SendFailure.NotSerialized(topic, key, exception));
        }

        var send = _queue.Rent(topic);
        send.Key = key.Owned();
        _queue.Reserve(send);
        var result = send.Task;
        send.CancelWith(ct);
        _ = FinishEncodingAsync(send, encoding, topic, own, partition, timestamp);
        return result;
    }

    private async Task FinishEncodingAsync(
        PendingSend send, ValueTask<byte[]> encoding, string topic, MessageHeaders headers, int? partition, DateTimeOffset? timestamp)
    {
        try
        {
            // The serializer may have answered with an array of its own, which it uses again.
            Fill(send, await encoding.ConfigureAwait(false), send.Key, headers, partition, timestamp, borrowsPayload: true);
            send.Own();
        }
        catch (Exception exception)
        {
            _queue.Withdraw(send, exception is OperationCanceledException ? exception : SendFailure.NotSerialized(topic, send.Key, exception));
            return;
        }

        _queue.Ready(send);
    }

    private ValueTask<SendResult> Accept(
        string topic, byte[]? payload, MessageKey key, MessageHeaders? headers, int? partition, DateTimeOffset? timestamp, CancellationToken ct,
            bool borrowsPayload = false, bool isForwarded = false)
    {
        var send = _queue.Rent(topic);
        send.IsForwarded = isForwarded;
        Fill(send, payload, key, headers, partition, timestamp, borrowsPayload);
        var result = send.Task;
        _queue.Accept(send);
        send.CancelWith(ct);
        return result;
    }

    private static void Fill(
        PendingSend send, byte[]? payload, MessageKey key, MessageHeaders? headers, int? partition, DateTimeOffset? timestamp, bool borrowsPayload)
    {
        send.Key = key;
        send.KeyBytes = key.WireBytes;
        send.Payload = payload;
        send.BorrowsPayload = borrowsPayload;
        send.Borrows = !send.IsForwarded && (borrowsPayload || key.IsBytes || headers is { Count: > 0 });
        send.Partition = partition;
        send.Headers = headers is { Count: > 0 } ? [.. headers] : null;
        send.Timestamp = timestamp?.ToUnixTimeMilliseconds() ?? 0;
        send.Bytes = SendSize.Of(send.KeyBytes, payload, send.Headers);
    }

    // Whether the payload that a message became may be an array of somebody else.
    private bool IsBorrowed(object? message, IMessageSerializer? serializer) =>
        message is not (null or string) && (serializer is not null || !_encoder.IsSynchronous || RawSerialization.IsBytes(message));

    private async ValueTask<SendResult> SendTracedAsync(string topic, object? message, Type type, MessageKey key, SendOptions? options, CancellationToken ct)
    {
        using var activity = TraceHeaders.Start(topic, key, _options.ClientId);
        try
        {
            var headers = TraceHeaders.Inject(options?.Headers);
            var result = message is null
                ? await Accept(topic, payload: null, key, headers, options?.Partition, options?.Timestamp, ct).ConfigureAwait(false)
                : await SendEncoding(topic, message, type, key, headers, options?.Partition, options?.Timestamp, options?.Serializer, ct).ConfigureAwait(false);
            TraceHeaders.Delivered(activity, result);
            return result;
        }
        catch (Exception exception)
        {
            TraceHeaders.Failed(activity, exception);
            throw;
        }
    }

    private async ValueTask<SendResult> SendThroughMiddlewareAsync(
        string topic, object? message, Type type, MessageKey key, SendOptions? options, CancellationToken ct)
    {
        using var activity = TraceHeaders.Wanted ? TraceHeaders.Start(topic, key, _options.ClientId) : default;

        // The call may return before middleware is done.
        key = key.Owned();
        message = RawSerialization.Owned(message, out var ownBytes);
        var place = _queue.Rent(topic);
        place.Key = key;
        place.Depth = MiddlewareDepth.Value;
        _queue.Reserve(place);
        MiddlewareDepth.Value = place.Depth + 1;   // until this method returns
        var chain = new MiddlewareChain(this, place, topic, ownBytes, ct);
        try
        {
            var outgoing = new OutgoingMessage
            {
                Topic = topic,
                Message = message,
                MessageType = type,
                Key = key,
                Headers = TraceHeaders.Wanted ? TraceHeaders.Inject(options?.Headers?.Owned()) : options?.Headers?.Owned() ?? new(),
                Partition = options?.Partition,
                Timestamp = options?.Timestamp,
                Serializer = options?.Serializer,
            };
            var result = await chain.NextAsync(0, outgoing, ct).ConfigureAwait(false);
            TraceHeaders.Delivered(activity, result);
            return result;
        }
        catch (Exception exception)
        {
            TraceHeaders.Failed(activity, exception);
            throw;
        }
        finally
        {
            chain.Release();
        }
    }

    /// <summary>One send's way through the middleware. It holds the send's place in the queue from the call on, and gives it up where nobody sends.</summary>
    private sealed class MiddlewareChain(MessageProducer producer, PendingSend place, string asked, byte[]? ownBytes, CancellationToken cancellation)
    {
        private PendingSend? _place = place;

        public ValueTask<SendResult> NextAsync(int index, OutgoingMessage message, CancellationToken ct)
        {
            if (index < producer._middleware.Length)
            {
                return producer._middleware[index].SendAsync(message, (next, token) => NextAsync(index + 1, next, token), ct);
            }

            Conclude(message, asked, producer._names);

            // Middleware that calls next again (to try once more) sends again, from the end of the queue.
            return Interlocked.Exchange(ref _place, null) is { } first
                ? SendReservedAsync(first, message, ct)
                : message.Message is null
                    ? producer.Accept(message.Topic, payload: null, message.Key, message.Headers, message.Partition, message.Timestamp, ct)
                    : producer.SendEncoding(
                        message.Topic, message.Message, message.MessageType, message.Key, message.Headers, message.Partition, message.Timestamp,
                        message.Serializer, ct);
        }

        public void Release()
        {
            if (Interlocked.Exchange(ref _place, null) is { } unused)
            {
                producer._queue.Withdraw(unused, new OperationCanceledException("Middleware answered without sending.", cancellation));
            }
        }

        private async ValueTask<SendResult> SendReservedAsync(PendingSend send, OutgoingMessage message, CancellationToken ct)
        {
            var result = send.Task;
            try
            {
                var payload = message.Message is null
                    ? null
                    : await producer._encoder.EncodeAsync(
                        message.Message, message.MessageType, message.Topic, message.Headers, message.Serializer, ct).ConfigureAwait(false);
                if (!string.Equals(send.Queue.Topic, message.Topic, StringComparison.Ordinal))
                {
                    producer._queue.Move(send, message.Topic);
                }

                Fill(send, payload, message.Key, message.Headers, message.Partition, message.Timestamp, borrowsPayload: !ReferenceEquals(payload, ownBytes)
                    && producer.IsBorrowed(message.Message, message.Serializer));
                send.Own();
            }
            catch (Exception exception)
            {
                Exception failure = exception is OperationCanceledException
                    ? ct.IsCancellationRequested ? SendFailure.Cancelled(message.Topic, mayHaveBeenWritten: false, ct) : exception
                    : SendFailure.NotSerialized(message.Topic, message.Key, exception);
                producer._queue.Withdraw(send, failure);
                return await result.ConfigureAwait(false);
            }

            send.CancelWith(ct);
            producer._queue.Ready(send);
            return await result.ConfigureAwait(false);
        }
    }
}
