using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Security;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>
/// Confluent.Kafka's producer as the queue uses it: past its methods where they can be avoided (<see cref="NativeProducer"/>), else with one cached delegate
/// for all reports, where the value that each carries is the send itself. Its callbacks never throw, and hand what is logged to the thread pool.
/// </summary>
internal sealed class KafkaProducerClient : IProducerClient
{
    // The client's default of batch.size and of message.max.bytes; a batch keeps to both.
    private const int DefaultBatchSize = 1_000_000;
    private static readonly Error TooLarge = new(ErrorCode.MsgSizeTooLarge);

    private static readonly Headers NoHeaders = [];
    private static readonly Error NoError = new(ErrorCode.NoError);
    private static readonly Action<DeliveryReport<byte[]?, PendingSend>> OnReport =
        static report => report.Message.Value.Report(report.Partition.Value, report.Offset.Value, report.Error.Code, report.Status);

    private readonly IProducer<byte[]?, PendingSend> _producer;

    // Null: this version of the client does not let it in, or the configuration wants the client's own polling.
    private readonly NativeProducer? _native;
    private readonly ILogger _logger;
    private readonly ClientLog _log;
    private readonly int _largest;
    private readonly RefusedClients _refused;
    private readonly ConnectionFacts _facts;
    private readonly TokenRefresher? _tokens;
    private readonly AdminConnection? _admin;
    private readonly OncePerKind<ErrorCode> _news;

    /// <summary>Builds the client; it connects in the background.</summary>
    /// <param name="config">Its settings; whether it polls by itself is decided here.</param>
    /// <param name="diagnostics">Logs.</param>
    /// <param name="onFatal">Called for every fatal error, on the client's thread; must not throw.</param>
    /// <param name="largest">The most bytes of a message of the application's own, with key and headers.</param>
    /// <param name="direct">False: all goes through Confluent.Kafka's own methods, as where there is no other way.</param>
    /// <param name="tokens">Where it gets its tokens from.</param>
    /// <param name="admin">Asks for the topics' limits; without it they stay unknown.</param>
    public KafkaProducerClient(ProducerConfig config, KafkaDiagnostics diagnostics, Action<Error> onFatal, int largest = int.MaxValue, bool direct = true,
        TokenRefresher? tokens = null, AdminConnection? admin = null)
    {
        _admin = admin;
        _tokens = tokens;
        _largest = largest;
        _logger = diagnostics.Logger<MessageProducer>();
        var secrets = SecretHiding.Of(config);
        _log = new ClientLog(_logger, secrets, diagnostics.Time, diagnostics.Unreachable);
        _news = new OncePerKind<ErrorCode>(diagnostics.Time, ClientError.Lapse);
        _refused = diagnostics.Refused;
        _facts = new ConnectionFacts(config, tokens);
        Name = config.ClientId ?? "producer";
        var native = direct && TakesNative(config);
        if (native)
        {
            config.EnableBackgroundPoll = false;
        }

        _producer = new ProducerBuilder<byte[]?, PendingSend>(config)
            .SetKeySerializer(Serializers.ByteArray)
            .SetValueSerializer(PayloadSerializer.Instance)
            .SetErrorHandler((_, error) => OnError(secrets.Hide(error), onFatal))
            .SetLogHandler((_, queue) => _log.Write(queue))
            .Build();
        Name = _producer.Name;
        if (native)
        {
            _native = new NativeProducer(_producer.Handle, Name, error => OnError(secrets.Hide(error), onFatal));
        }

        DirectAccess.Log(diagnostics, Name, native ? null : DirectAccess.MissingForSending ?? "its settings leave the polling to Confluent.Kafka");
        tokens?.Add(_producer);
        LargestBatch = Math.Min(config.BatchSize ?? DefaultBatchSize, config.MessageMaxBytes ?? DefaultBatchSize);
    }

    public string Name { get; }

    public Error TryProduce(PendingSend send) =>
        send.Bytes > _largest && !send.IsForwarded ? TooLarge : _native is null ? Produce(send) : _native.TryProduce(send);

    public void PurgeQueued(bool wait) => Librdkafka.PurgeQueued(_producer.Handle, wait);

    public int LargestBatch { get; }

    public async Task<IReadOnlyList<LimitAnswer>> FindLimitsAsync(IReadOnlyList<string> topics, TimeSpan timeout)
    {
        if (_admin is null)
        {
            return [.. topics.Select(static _ => new LimitAnswer(null, ErrorCode.Unknown))];
        }

        // Not through an administration client on the producer's own connections: one that died frees its queue, and the next call on it would crash the
        // process.
        var resources = topics.Select(static topic => new ConfigResource { Type = ResourceType.Topic, Name = topic });
        var answers = new Dictionary<string, LimitAnswer>(StringComparer.Ordinal);
        try
        {
            foreach (var described in await _admin.CallAsync(client =>
                client.DescribeConfigsAsync(resources, new DescribeConfigsOptions { RequestTimeout = timeout }), timeout, CancellationToken.None)
                .ConfigureAwait(false))
            {
                answers[described.ConfigResource.Name] = Read(described.Entries);
            }
        }
        catch (DescribeConfigsException exception)
        {
            foreach (var described in exception.Results)
            {
                answers[described.ConfigResource.Name] = described.Error.IsError ? new LimitAnswer(null, described.Error.Code) : Read(described.Entries);
            }
        }

        return [.. topics.Select(topic => answers.TryGetValue(topic, out var answer) ? answer : new LimitAnswer(null, ErrorCode.Unknown))];
    }

    public void Dispose()
    {
        _tokens?.Remove(_producer);
        _native?.Dispose();
        _producer.Dispose();
        _log.Complete();
    }

    // The built-in token of a test set-up is renewed by whoever polls, and only Confluent.Kafka's polling does.
    private static bool TakesNative(ProducerConfig config)
        => DirectAccess.MissingForSending is null && config.EnableSaslOauthbearerUnsecureJwt is not true;

    private Error Produce(PendingSend send)
    {
        // Its report would not give the bytes back, and a refused batch goes again.
        send.Own();
        var record = new Message<byte[]?, PendingSend> { Key = send.KeyBytes, Value = send, Headers = NoHeaders };
        if (send.Headers is { } headers)
        {
            record.Headers = [];
            foreach (var header in headers)
            {
                record.Headers.Add(header.Name, header.Value);
            }
        }

        if (send.Timestamp != 0)
        {
            record.Timestamp = new Timestamp(send.Timestamp, TimestampType.CreateTime);
        }

        try
        {
            _producer.Produce(
                send.Partition is { } partition ? new TopicPartition(send.Queue.Topic, partition) : send.Queue.AnyPartition,
                record,
                OnReport);
            return NoError;
        }
        catch (KafkaException exception)
        {
            return exception.Error;
        }
        catch (ObjectDisposedException exception)
        {
            return new Error(ErrorCode.Local_Destroy, exception.Message);
        }
    }

    private static LimitAnswer Read(Dictionary<string, ConfigEntryResult> entries)
        => entries.TryGetValue("max.message.bytes", out var entry) && int.TryParse(entry.Value, CultureInfo.InvariantCulture, out var limit)
            ? new LimitAnswer(limit, ErrorCode.NoError)
            : new LimitAnswer(null, ErrorCode.Unknown);

    private void OnError(Error error, Action<Error> onFatal)
    {
        if (error.IsFatal)
        {
            onFatal(error);
        }
        else if (!_refused.Report(Name, error, _facts) && !ClientError.IsConnection(error.Code) && _news.IsDue(error.Code))
        {
            ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.ClientError(_logger, Name, error.Reason, SendFailure.Name(error.Code)), null);
        }
    }

    private sealed class PayloadSerializer : ISerializer<PendingSend>
    {
        public static readonly PayloadSerializer Instance = new();

        public byte[] Serialize(PendingSend data, SerializationContext context) => data.Payload!;
    }
}
