using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Producing;

namespace Narad.Kafka.Diagnostics;

/// <summary>
/// Healthy while a broker answers and every subscription makes progress, or is paused by name, which is told. Degraded while a topic is missing, a partition is
/// stopped, a circuit is not closed, the token source fails, or in Console mode; unhealthy
/// without a broker, without a token, or when a subscription ended by itself. What keeps a subscription from consuming degrades it after
/// <see cref="KafkaOptions.DegradedAfter"/> and makes it unhealthy after <see cref="KafkaOptions.UnhealthyAfter"/>. Never contains a secret, or text from
/// outside that is not escaped.
/// </summary>
internal sealed class KafkaHealthCheck(KafkaService service) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var data = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["mode"] = service.Mode.ToString(),
            ["clientId"] = service.Options.ClientId,
            ["brokers"] = service.ShownBrokers,
            ["unfinished"] = service.Groups.Sum(group => group.Loop?.BufferedMessages ?? 0),
            ["inFlight"] = service.Producer?.InFlight ?? 0,
            ["retriesWaiting"] = service.Groups.Sum(group => group.Loop?.WaitingRetries ?? 0),
            ["retriesOverdueSeconds"] = service.LongestOverdue.TotalSeconds,
            ["deadLetters"] = DeadLetters(),
            ["resets"] = service.Groups.Sum(group => group.Metrics.Resets),
        };
        var bad = new List<string>();
        var doubtful = new List<string>();
        if (service.Mode is KafkaMode.Console)
        {
            doubtful.Add("console mode: nothing is sent");
        }
        else if (!service.IsConnected)
        {
            bad.Add(service.ConnectionFault is { } trouble ? $"no broker answers ({trouble})" : "no broker answers");
        }

        bad.AddRange(service.Diagnostics.Refused.Now);
        if (service.Tokens is { } tokens)
        {
            data["tokenExpires"] = tokens.ExpiresAt ?? (object)"no token yet";
            if (tokens.Trouble is { } failure && (tokens.HasToken || service.IsConnected))
            {
                // Without a token and a connection that was reported already.
                (tokens.HasToken ? doubtful : bad).Add($"tokens: the source failed: {failure}");
            }
        }

        if (service.Producer?.Health is { State: ProducerState.Rebuilding or ProducerState.Refused } producer)
        {
            bad.Add($"sending: {producer.Reason}");
        }

        bad.AddRange(service.Groups.Select(static group => group.Loop?.TransactionTrouble).OfType<string>());
        foreach (var subscription in service.Subscriptions)
        {
            switch (subscription.State)
            {
                case SubscriptionState.Faulted:
                    bad.Add($"'{subscription.Topic}' in group '{subscription.Group}' ended: {ExceptionText.Message(subscription.Error!)}");
                    break;
                case SubscriptionState.TopicMissing when subscription is not Subscription { IsOptional: true }:
                    doubtful.Add($"topic '{subscription.Topic}' of group '{subscription.Group}' does not exist");
                    break;
            }

            doubtful.AddRange(
                subscription.StoppedPartitions.Select(stopped =>
                    $"{stopped.Partition} of group '{subscription.Group}' stopped at offset {stopped.Offset}: {stopped.Reason.GetType().Name}"));
        }

        data["stalled"] = AddStalls(bad, doubtful);
        foreach (var circuit in service.Circuits)
        {
            if (circuit.Outage is { } outage)
            {
                doubtful.Add(
                    $"circuit of '{circuit.Topic}' in group '{circuit.Group}' is {(circuit.State is CircuitState.Open ? "open" : "probing")}: "
                        + $"{outage.Reason.Name}, since {outage.Since:u}");
            }
        }

        var paused = service.Subscriptions.Where(static subscription => subscription.PausedPartitions.Count > 0).ToList();
        data["paused"] = paused.Sum(static subscription => subscription.PausedPartitions.Count);
        data["stopped"] = service.Subscriptions.Sum(subscription => subscription.StoppedPartitions.Count);
        var status = bad.Count > 0 ? context?.Registration.FailureStatus ?? HealthStatus.Unhealthy : doubtful.Count > 0 ? HealthStatus.Degraded
            : HealthStatus.Healthy;
        return Task.FromResult(
            new HealthCheckResult(
                status, string.Join("; ", bad.Concat(doubtful).Concat(paused.Select(Paused)).Select(ForeignText.Message)), exception: null, data));
    }

    // A pause is meant, so it changes no status; nothing of it is handled all the same.
    private static string Paused(ISubscription subscription)
    {
        var (paused, assigned) = (subscription.PausedPartitions.Count, subscription.Assignment.Count);
        return $"{(paused >= assigned ? "all" : $"{paused} of {assigned}")} partitions of '{subscription.Topic}' in group '{subscription.Group}' are paused "
            + "by name";
    }

    // Counted in the background: what was not counted yet is not 0.
    private object DeadLetters()
    {
        var latest = service.DeadLetterCounts.Latest;
        return service.DeadLetterCounts.HasCounted ? latest.Values.Sum() : "not counted yet";
    }

    // Without a broker nothing is consumed, and that is reported already.
    private int AddStalls(List<string> bad, List<string> doubtful)
    {
        if (!service.IsConnected)
        {
            return 0;
        }

        var stalls = service.Groups.SelectMany(GroupStalls.Of).Where(stall => stall.Lasted >= service.Options.DegradedAfter).ToList();
        foreach (var stall in stalls)
        {
            var text = $"{stall.Text.TrimEnd('.')} (for {Duration.Text(TimeSpan.FromSeconds(Math.Floor(stall.Lasted.TotalSeconds)))})";
            (stall.Lasted >= service.Options.UnhealthyAfter && !stall.NeverUnhealthy ? bad : doubtful).Add(text);
        }

        return stalls.Count;
    }
}
