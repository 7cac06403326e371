using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>Finds the schemas before the host connects to Kafka.</summary>
internal sealed class RegistryStartup(KafkaSchemaRegistry registry, IOptions<KafkaOptions> options) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (options.Value.Mode is KafkaMode.Console)
            {
                return;
            }
        }
        catch (OptionsValidationException error)
        {
            throw new KafkaConfigurationException([.. error.Failures]);
        }

        await registry.StartAsync(cancellationToken).ConfigureAwait(false);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
