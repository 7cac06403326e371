using Microsoft.Extensions.Hosting;

namespace Narad.Kafka.Outbox;

/// <summary>Starts the relay after the Kafka service, and stops it before.</summary>
internal sealed class OutboxHostedService(OutboxService outbox, KafkaService service, IServiceProvider services, IHostApplicationLifetime lifetime,
    TimeProvider time) : IHostedService
{
    private readonly HostShutdown _shutdown = new(services, lifetime, time);

    public Task StartAsync(CancellationToken cancellationToken) => outbox.StartAsync(cancellationToken);

    // The other half is the Kafka service's own, which stops afterwards.
    public Task StopAsync(CancellationToken cancellationToken) => outbox.StopAsync(_shutdown.Limit(service.Options.ShutdownTimeout) / 2);
}
