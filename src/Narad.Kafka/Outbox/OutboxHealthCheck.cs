using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Outbox;

/// <summary>
/// Healthy while messages leave the outbox in time. Degraded or unhealthy while the oldest pending message is older, or more are pending, than the options
/// allow; degraded while messages are set aside; unhealthy while the store does not answer. Never contains a secret.
/// </summary>
internal sealed class OutboxHealthCheck(OutboxService outbox) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var options = outbox.Options;
        var counted = outbox.Statistics;
        var data = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["relay"] = outbox.Relay is not null,
            ["buckets"] = outbox.Relay?.Held ?? 0,
            ["pending"] = counted?.Pending ?? (object)"not counted yet",
            ["oldestPendingSeconds"] = counted is null ? "not counted yet" : (counted.OldestPending ?? TimeSpan.Zero).TotalSeconds,
            ["setAside"] = counted?.SetAside ?? (object)"not counted yet",
        };
        var bad = new List<string>();
        var doubtful = new List<string>();
        if (outbox.Relay?.Outage is { } outage)
        {
            bad.Add($"the outbox's store does not answer: {ExceptionText.Message(outage)}");
        }

        if (counted is not null)
        {
            if (counted.OldestPending > options.DegradedAfter)
            {
                (counted.OldestPending > options.UnhealthyAfter ? bad : doubtful).Add(
                    $"the oldest of {counted.Pending.ToString(CultureInfo.InvariantCulture)} pending messages has waited "
                        + $"{Duration.Text(TimeSpan.FromSeconds(Math.Floor(counted.OldestPending.Value.TotalSeconds)))}");
            }

            if (counted.Pending > options.DegradedPending || counted.Pending > options.UnhealthyPending)
            {
                (counted.Pending > options.UnhealthyPending ? bad : doubtful).Add(
                    $"{counted.Pending.ToString(CultureInfo.InvariantCulture)} messages are pending");
            }

            if (counted.SetAside > 0)
            {
                doubtful.Add($"{counted.SetAside.ToString(CultureInfo.InvariantCulture)} messages are set aside: IOutbox.SetAside lists them");
            }
        }

        var status = bad.Count > 0 ? context?.Registration.FailureStatus ?? HealthStatus.Unhealthy
            : doubtful.Count > 0 ? HealthStatus.Degraded : HealthStatus.Healthy;
        return Task.FromResult(new HealthCheckResult(status, string.Join("; ", bad.Concat(doubtful).Select(ForeignText.Message)), exception: null, data));
    }
}
