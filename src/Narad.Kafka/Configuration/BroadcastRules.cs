namespace Narad.Kafka.Configuration;

/// <summary>What a broadcast subscription has no use for, since no group stands behind it. No state.</summary>
internal static class BroadcastRules
{
    /// <summary>What its section and <see cref="IKafkaService.SubscribeBroadcastAsync{T}"/> add to a topic's name.</summary>
    public const string SectionSuffix = "-broadcast";

    /// <summary>The errors of its options.</summary>
    public static IEnumerable<string> Check(SubscriptionOptions options, string topic)
    {
        var what = $"the broadcast subscription to '{topic}' sets";
        if (options.HasFailureTopics)
        {
            yield return $"{what} Retry.Topic or DeadLetter: each instance would move the same message there. A message that fails is retried in memory "
                + "(Retry.InMemory), then logged, counted and given up.";
        }

        if (options.Retry.PreserveKeyOrder)
        {
            yield return $"{what} Retry.PreserveKeyOrder, and has no retry topic. Remove it: in-memory retries keep the order of a key.";
        }

        if (options.Once.Enabled || options.ExactlyOnce.Enabled)
        {
            yield return $"{what} {(options.Once.Enabled ? "Once" : "ExactlyOnce")}: every instance handles every message. Use AddSubscription to handle a "
                + "message once.";
        }

        if (options.StartPosition is StartPosition.Stop)
        {
            yield return $"{what} StartPosition.Stop, and nothing is ever committed to start from. Choose Latest, Earliest or a StartTime.";
        }

        if (options is { StartPosition: not null, StartTime: not null })
        {
            yield return $"{what} StartPosition and StartTime. Keep one of them.";
        }

        if (options.OnUnhandled is not null)
        {
            yield return $"{what} OnUnhandled: a message that fails is given up, and the next one follows. Remove it.";
        }
    }

    /// <summary>The errors of an ordinary subscription's options.</summary>
    public static IEnumerable<string> CheckOrdinary(SubscriptionOptions options, string topic)
    {
        if (options.StartTime is not null)
        {
            yield return $"the subscription to '{topic}' sets StartTime, which is for broadcast subscriptions. Use StartPosition, or "
                + "ISubscription.SeekAsync(time) while it runs.";
        }
    }
}
