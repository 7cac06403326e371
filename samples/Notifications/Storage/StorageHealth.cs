using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka;

namespace Notifications.Storage;

/// <summary>Unhealthy while the storage does not answer.</summary>
internal sealed class StorageHealth(INotificationStore store) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await store.PendingAsync("health", after: 0, limit: 1, cancellationToken);
            return HealthCheckResult.Healthy(store.Name);
        }
        catch (StoreUnavailableException failure)
        {
            return HealthCheckResult.Unhealthy(failure.Message);
        }
    }
}
