using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>
/// Confluent.Kafka's producer as the line uses it. One cached delegate takes all reports: the value that each carries is the send itself, so that nothing
/// is allocated to find it again. Its callbacks never throw, and hand what is logged to the thread pool.
/// </summary>
internal sealed class KafkaProducerClient : IProducerClient
{
    private static readonly Headers NoHeaders = [];
    private static readonly Error NoError = new(ErrorCode.NoError);
    private static readonly Action<DeliveryReport<byte[]?, PendingSend>> OnReport =
        static report => report.Message.Value.Report(report.Partition.Value, report.Offset.Value, report.Error.Code, report.Status);

    private readonly IProducer<byte[]?, PendingSend> _producer;
    private readonly ILogger _logger;
    private readonly ClientLog _log;
    private ErrorCode _lastError;

    public KafkaProducerClient(ProducerConfig config, KafkaDiagnostics diagnostics, Action<Error> onFatal)
    {
        _logger = diagnostics.Logger<MessageProducer>();
        _log = new ClientLog(_logger);
        Name = config.ClientId ?? "producer";
        _producer = new ProducerBuilder<byte[]?, PendingSend>(config)
            .SetKeySerializer(Serializers.ByteArray)
            .SetValueSerializer(PayloadSerializer.Instance)
            .SetErrorHandler((_, error) => OnError(error, onFatal))
            .SetLogHandler((_, line) => _log.Write(line))
            .Build();
        Name = _producer.Name;
    }

    public string Name { get; }

    public Error TryProduce(PendingSend send)
    {
        var record = send.Record;
        record.Headers ??= NoHeaders;
        try
        {
            _producer.Produce(
                send.Partition is { } partition ? new TopicPartition(send.Line.Topic, partition) : send.Line.AnyPartition,
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

    public bool TryPurgeQueued(bool wait) => NativeProducer.TryPurgeQueued(_producer.Handle, wait);

    public async Task<int?> FindLimitAsync(string topic, CancellationToken cancellationToken)
    {
        // Through the producer's own connections; disposing it leaves them open.
        using var admin = new DependentAdminClientBuilder(_producer.Handle).Build();
        var resource = new ConfigResource { Type = ResourceType.Topic, Name = topic };
        var described = await admin.DescribeConfigsAsync([resource], new DescribeConfigsOptions { RequestTimeout = TimeSpan.FromSeconds(3) });
        return described.Count == 1
            && described[0].Entries.TryGetValue("max.message.bytes", out var entry)
            && int.TryParse(entry.Value, CultureInfo.InvariantCulture, out var limit)
                ? limit
                : null;
    }

    public void Dispose()
    {
        _producer.Dispose();
        _log.Complete();
    }

    private void OnError(Error error, Action<Error> onFatal)
    {
        if (error.IsFatal)
        {
            onFatal(error);
        }
        else if (_lastError != error.Code)
        {
            // The client repeats itself for as long as an outage lasts, and says nothing when it is over.
            _lastError = error.Code;
            ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.ClientError(_logger, Name, error.Reason, SendFailure.Name(error.Code)), null);
        }
    }

    private sealed class PayloadSerializer : ISerializer<PendingSend>
    {
        public static readonly PayloadSerializer Instance = new();

        public byte[] Serialize(PendingSend data, SerializationContext context) => data.Payload!;
    }
}
