using System.Threading.Channels;
using MessageStore.Storage;
using Narad.Kafka;

namespace MessageStore;

/// <summary>
/// Produces what is stored and not marked as produced, oldest first, and marks it once Kafka confirmed it. The storage and Kafka are two systems: a
/// process that dies between confirmation and mark produces the message again, and the consumer, which knows it by its id, ignores it.
/// </summary>
internal sealed class ProduceMessages(IMessages messages, IKafkaProducer kafka, ILogger<ProduceMessages> logger) : BackgroundService
{
    private const int MostAtOnce = 500;

    // For what another process left behind, and after a failure.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Channel<bool> _stored = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Says that a message was stored. Does not wait.</summary>
    public void Wake() => _stored.Writer.TryWrite(true);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            var produced = 0;
            try
            {
                produced = await ProduceAsync(stoppingToken);
            }
            catch (NaradKafkaException failure)
            {
                logger.LogWarning("Messages are stored and wait to be produced: {Reason}", failure.Message);
            }

            if (produced < MostAtOnce)
            {
                await WaitAsync(stoppingToken);
            }
        }
    }

    private async Task<int> ProduceAsync(CancellationToken cancellationToken)
    {
        var waiting = await messages.NotProducedAsync(MostAtOnce, cancellationToken);
        if (waiting.Count == 0)
        {
            return 0;
        }

        try
        {
            await kafka.SendManyAsync(MessageStoreRoles.Topic, waiting.Select(Wire), static message => message.Id, cancellationToken: cancellationToken);
            await MarkAsync([.. waiting.Select(static message => message.Id)]);
        }
        catch (KafkaSendManyException some)
        {
            await MarkAsync([.. waiting.Where((_, i) => some.Results[i] is not null).Select(static message => message.Id)]);
            throw;
        }

        return waiting.Count;

        // Not cancelled: Kafka has them.
        async Task MarkAsync(IReadOnlyCollection<string> ids)
        {
            await messages.MarkProducedAsync(ids, CancellationToken.None);
            logger.LogInformation("{Count} message(s) produced to {Topic}", ids.Count, MessageStoreRoles.Topic);
        }
    }

    // What goes to Kafka has no mark.
    private static Message Wire(Message message) => new() { Id = message.Id, Text = message.Text, CreatedAt = message.CreatedAt };

    private async Task WaitAsync(CancellationToken stoppingToken)
    {
        using var interval = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        interval.CancelAfter(Interval);
        try
        {
            await _stored.Reader.ReadAsync(interval.Token);
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            // Time to look again.
        }
    }
}
