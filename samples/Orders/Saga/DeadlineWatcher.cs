using Microsoft.Extensions.Options;
using Narad.Kafka;

namespace Orders.Saga;

/// <summary>
/// Looks for steps that take too long, and reminds the saga of them with a message. It changes nothing itself: the saga handles the reminder in its turn, in
/// the order of the key and in a transaction, as it handles every reply. A reminder has the same id however often it is sent.
/// </summary>
internal sealed class DeadlineWatcher(
    ISagaStore sagas, IKafkaProducer kafka, IOptions<SagaOptions> options, TimeProvider time, ILogger<DeadlineWatcher> logger) : BackgroundService
{
    private const int MaxAtOnce = 500;

    private readonly Reminders _reminders = new(options.Value.StepTimeout);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.CheckInterval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await RemindAsync(stoppingToken);
            }
            catch (NaradKafkaException failure)
            {
                logger.LogWarning("Deadlines could not be looked for, and will be again: {Reason}", failure.Message);
            }
        }
    }

    private async Task RemindAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var due = await sagas.DueAsync(now, MaxAtOnce, cancellationToken);
        await Task.WhenAll(_reminders.Choose(due, now).Select(saga => kafka.SendAsync<OrderReply>(
            new StepOverdue(saga.OrderId, saga.Step, saga.Deadline!.Value),
            options: new SendOptions { Headers = new MessageHeaders { { "message-id", $"{saga.OrderId}/{saga.Step}/{saga.Deadline:O}" } } },
            cancellationToken: cancellationToken).AsTask()));
    }
}
