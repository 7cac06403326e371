using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka;

namespace MessageStore.Storage;

/// <summary>Unhealthy while the storage does not answer.</summary>
internal sealed class StorageHealth(IMessages messages) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await messages.ListAsync(before: null, limit: 1, cancellationToken);
            return HealthCheckResult.Healthy(messages.Name);
        }
        catch (StoreUnavailableException failure)
        {
            return HealthCheckResult.Unhealthy(failure.Message);
        }
    }
}
