using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using MongoDB.Bson;

namespace Narad.Kafka.Mongo;

/// <summary>Whether the server answers, what waits for it, and what the inbox promises. Never contains a secret.</summary>
internal sealed class MongoHealthCheck(MongoConnection connection, MongoOutboxStore outbox, IKafkaService? kafka) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var waiting = (kafka?.Subscriptions ?? []).Where(static subscription => subscription.CircuitState is not CircuitState.Closed).ToList();
        var data = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["database"] = connection.Database.DatabaseNamespace.DatabaseName,
            ["waiting"] = waiting.Count,
            ["outboxWakeUp"] = outbox.WakeUp.ToString(),
            ["waitingMessages"] = waiting.Sum(static subscription => subscription.BufferedMessages),
        };
        try
        {
            await connection.RunAsync("be reached", token => connection.Database.RunCommandAsync<BsonDocument>(
                new BsonDocument("ping", 1), cancellationToken: token), cancellationToken).ConfigureAwait(false);
            var description = await connection.DescribeAsync(cancellationToken).ConfigureAwait(false);
            data["topology"] = description.Topology.ToString();
            data["transactions"] = description.HasTransactions;
        }
        catch (StoreUnavailableException outage)
        {
            return new HealthCheckResult(context?.Registration.FailureStatus ?? HealthStatus.Unhealthy, Text(outage.Message), exception: null, data);
        }

        return waiting.Count > 0
            ? new HealthCheckResult(HealthStatus.Degraded, Text("the server answers"), exception: null, data)
            : new HealthCheckResult(HealthStatus.Healthy, connection.Known!.HasTransactions ? ""
                : "no transactions (standalone server): a handler interrupted by a crash runs again", exception: null, data);

        string Text(string reason) => waiting.Count == 0 ? reason : $"{reason}; waiting for the store: {string.Join(", ", waiting.Select(Waiting))}";
    }

    private static string Waiting(ISubscription subscription) => string.Create(
        CultureInfo.InvariantCulture, $"{subscription.BufferedMessages:N0} message(s) in memory of '{subscription.Topic}' in group '{subscription.Group}'");
}
