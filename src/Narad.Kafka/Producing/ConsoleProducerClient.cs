using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Producing;

/// <summary>
/// Console mode's client: writes what would be sent to the log, or to standard output where there is no logger, and acknowledges it. Thread-safe.
/// </summary>
internal sealed class ConsoleProducerClient(KafkaDiagnostics diagnostics, TextWriter output) : IProducerClient
{
    private static readonly Error NoError = new(ErrorCode.NoError);
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ILogger _logger = diagnostics.Logger<MessageProducer>();

    public string Name => "console";

    public bool SendsToBroker => false;

    public int LargestBatch => 0;   // it makes none

    public Error TryProduce(PendingSend send)
    {
        var value = Describe(send.Payload);
        if (diagnostics.HasLogger)
        {
            ProducingLog.WouldSend(_logger, send.Queue.Topic, value);
        }
        else
        {
            output.WriteLine($"[DEV] Would send to {send.Queue.Topic}: {value}");
        }

        send.Report(partition: -1, offset: -1, ErrorCode.NoError, PersistenceStatus.NotPersisted);
        return NoError;
    }

    public void PurgeQueued(bool wait)
    {
        // It queues nothing.
    }

    public Task<IReadOnlyList<LimitAnswer>> FindLimitsAsync(IReadOnlyList<string> topics, TimeSpan timeout)
        => throw new NotSupportedException("The console has no limits.");

    public void Dispose()
    {
        // The log and standard output belong to the process.
    }

    private static string Describe(byte[]? value)
    {
        if (value is null)
        {
            return "(tombstone)";
        }

        try
        {
            return Strict.GetString(value);
        }
        catch (DecoderFallbackException)
        {
            return Convert.ToBase64String(value);
        }
    }
}
