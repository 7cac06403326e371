using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka;

/// <summary>
/// Connects the service at the host's start and disconnects it at its stop: validation first, then the sending side, then the groups with all their
/// subscriptions. A subscription that ends by itself under <see cref="UnhandledPolicy.StopHost"/> stops the host.
/// </summary>
internal sealed class KafkaHostedService(
    KafkaService service,
    IEnumerable<SubscriptionRegistration> registrations,
    IServiceProvider services,
    IHostApplicationLifetime lifetime,
    ILogger<KafkaHostedService> logger) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        service.Init();
        await service.ConnectProducerAsync(cancellationToken).ConfigureAwait(false);
        var joining = new List<Task>();
        foreach (var registration in registrations)
        {
            await service.ConnectConsumerAsync(registration.Group, cancellationToken).ConfigureAwait(false);
        }

        foreach (var registration in registrations)
        {
            var host = new HandlerHost(services, registration.IsSingleton());
            joining.Add(service.SubscribeAsync(
                registration.Topic,
                registration.Group ?? service.Options.ConsumerGroupId,
                registration.Configure,
                registration.Batches,
                (settings, consumers) => registration.Pipeline(settings, consumers, service.Diagnostics, host),
                CancellationToken.None));
        }

        _ = service.HostStop.ContinueWith(static (_, state) => ((KafkaHostedService)state!).StopHost(), this, TaskScheduler.Default);
        await JoinAsync(joining, cancellationToken).ConfigureAwait(false);
    }

    public Task StopAsync(CancellationToken cancellationToken) => service.DisconnectAsync(cancellationToken);

    // The host starts with its groups joined where that is quick; a group that takes longer joins while the application runs already.
    private async Task JoinAsync(List<Task> joining, CancellationToken cancellationToken)
    {
        var all = Task.WhenAll(joining);
        try
        {
            await all.WaitAsync(service.Options.ConnectTimeout, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            ServiceLog.JoinTakesLong(logger, service.Options.ConnectTimeout);
            _ = all.ContinueWith(
                late => ServiceLog.JoinFailed(logger, late.Exception!.GetBaseException()),
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted,
                TaskScheduler.Default);
        }
    }

    private void StopHost()
    {
        ServiceLog.StoppingHost(logger);
        lifetime.StopApplication();
    }
}
