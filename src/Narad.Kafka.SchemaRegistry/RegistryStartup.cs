using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// Finds the schemas before the host connects to Kafka. In development with mode Auto, a registry that is unavailable fails the start only if there is a
/// broker: without one the mode is Console, which needs no registry.
/// </summary>
internal sealed class RegistryStartup(KafkaSchemaRegistry registry, IOptions<KafkaOptions> options) : IHostedLifecycleService
{
    private SerializationUnavailableException? _unavailable;

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

        try
        {
            await registry.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (SerializationUnavailableException error)
            when (options.Value.Mode is KafkaMode.Auto && KafkaSchemaRegistry.IsDevelopment(options.Value))
        {
            _unavailable = error;
        }
    }

    public Task StartedAsync(CancellationToken cancellationToken) => _unavailable is null || registry.Mode?.Invoke() is KafkaMode.Console
        ? Task.CompletedTask
        : Task.FromException(_unavailable);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
