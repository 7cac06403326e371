using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transactions;

/// <summary>What exactly once cannot be had with: refused when the subscription starts, all faults at once.</summary>
internal static class ExactlyOnceRules
{
    public static void ThrowIfRefused(SubscriptionOptions subscription, ExactlyOnceOptions transactions, string topic, KafkaMode mode, KafkaOptions options)
    {
        if (mode is not KafkaMode.Kafka)
        {
            throw new NotSupportedException(
                $"The subscription to '{topic}' says ExactlyOnce(), and this is {mode} mode: only real Kafka has transactions (the embedded broker shows what was aborted). Choose KafkaMode.Kafka, or leave ExactlyOnce() out in this environment: its handlers run without it too.");
        }

        var faults = new List<string>();
        if (subscription.RetryValue.Ladder is not null)
        {
            faults.Add($"the subscription to '{topic}' says ExactlyOnce() and has a retry topic: what waits there is finished outside of its transaction's order. Repeat in memory (Retry(r => r.InMemory(…))) and say DeadLetter(), or leave ExactlyOnce() out.");
        }

        if (subscription.CircuitValue is not null)
        {
            faults.Add($"the subscription to '{topic}' says ExactlyOnce() and CircuitBreaker(): a transaction is repeated as a whole, so its messages cannot be handed back one by one. Leave one of the two out.");
        }

        var limit = transactions.TimeLimitValue ?? TimeSpan.Zero;
        if (limit >= transactions.TransactionTimeoutValue)
        {
            faults.Add($"the subscription to '{topic}' gives the handlers of a transaction {Duration.Text(limit)} (TimeLimit), and its broker aborts it after {Duration.Text(transactions.TransactionTimeoutValue)} (TransactionTimeout): make the limit shorter, or the timeout longer.");
        }

        if (options.IsEventHubs)
        {
            faults.Add($"the subscription to '{topic}' says ExactlyOnce(), and Event Hubs does not take part in its transactions. Leave ExactlyOnce() out and make the handler idempotent.");
        }

        if (faults.Count > 0)
        {
            throw new KafkaConfigurationException(faults);
        }
    }

    /// <summary>The subscriptions of one group share its one client and its transactions.</summary>
    public static void ThrowIfMixed(ExactlyOnceSettings? wanted, ExactlyOnceSettings? others, string topic, string group)
    {
        if (wanted is null != others is null)
        {
            throw new KafkaConfigurationException([
                $"the subscription to '{topic}' {(wanted is null ? "does not say" : "says")} ExactlyOnce(), and others of group '{group}' {(wanted is null ? "do" : "do not")}: a group is one or the other. Give it a group of its own.",
            ]);
        }

        if (wanted != others)
        {
            throw new KafkaConfigurationException([
                $"the subscription to '{topic}' has other ExactlyOnce options than others of group '{group}', whose transactions it shares. Say the same for all, or give it a group of its own.",
            ]);
        }
    }
}
