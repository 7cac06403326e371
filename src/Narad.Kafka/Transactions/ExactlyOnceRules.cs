namespace Narad.Kafka.Transactions;

/// <summary>What exactly once cannot be combined with: refused when the subscription starts.</summary>
internal static class ExactlyOnceRules
{
    /// <summary>Every reason why the options cannot be had; empty where the subscription does not use transactions.</summary>
    /// <exception cref="NotSupportedException">This mode has no transactions.</exception>
    public static IReadOnlyList<string> Check(SubscriptionOptions subscription, string topic, KafkaMode mode, KafkaOptions options)
    {
        if (!subscription.ExactlyOnce.Enabled)
        {
            return [];
        }

        if (mode is not KafkaMode.Kafka)
        {
            throw new NotSupportedException(
                $"The subscription to '{topic}' sets ExactlyOnce.Enabled, and this is {mode} mode: only real Kafka has transactions (the embedded "
                    + "broker shows what was aborted). "
                + "Choose KafkaMode.Kafka, or leave ExactlyOnce off in this environment: its handlers run without it too.");
        }

        var errors = new List<string>();
        if (subscription.Retry.Topic.IsEnabled)
        {
            errors.Add(
                $"the subscription to '{topic}' sets ExactlyOnce.Enabled and has a retry topic: what waits there is finished outside of its "
                    + "transaction's order. "
                + "Retry in memory (Retry.InMemory) and set DeadLetter.Enabled, or leave ExactlyOnce off.");
        }

        if (subscription.CircuitBreaker.Enabled)
        {
            errors.Add(
                $"the subscription to '{topic}' sets ExactlyOnce.Enabled and CircuitBreaker.Enabled: a transaction is repeated as a whole, so its "
                    + "messages cannot be handed back one by one. "
                + "Leave one of the two off.");
        }

        if (options.IsEventHubs)
        {
            errors.Add(
                $"the subscription to '{topic}' sets ExactlyOnce.Enabled, and Event Hubs does not take part in its transactions. Leave ExactlyOnce "
                    + "off and make the handler idempotent.");
        }

        return errors;
    }

    /// <summary>The subscriptions of one group share its one client and its transactions.</summary>
    public static void ThrowIfMixed(ExactlyOnceSettings? wanted, ExactlyOnceSettings? others, string topic, string group)
    {
        if (wanted is null != others is null)
        {
            throw new KafkaConfigurationException([
                $"the subscription to '{topic}' {(wanted is null ? "does not set" : "sets")} ExactlyOnce.Enabled, and others of group '{group}' "
                    + $"{(wanted is null ? "do" : "do not")}: a group is one or the other. Give it a group of its own.",
            ]);
        }

        if (wanted != others)
        {
            throw new KafkaConfigurationException([
                $"the subscription to '{topic}' has other ExactlyOnce options than others of group '{group}', whose transactions it shares. Set the "
                    + "same for all, or give it a group of its own.",
            ]);
        }
    }
}
