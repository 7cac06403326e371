using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka;

namespace Chat.Storage;

/// <summary>Unhealthy while the storage does not answer.</summary>
internal sealed class StorageHealth(IChatStorage storage) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await storage.PositionsAsync(StoreChatLog.Messages, cancellationToken);
            return HealthCheckResult.Healthy(storage.Name);
        }
        catch (StoreUnavailableException failure)
        {
            return HealthCheckResult.Unhealthy(failure.Message);
        }
    }
}
