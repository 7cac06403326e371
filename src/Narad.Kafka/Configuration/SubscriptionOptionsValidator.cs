using System.Globalization;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Configuration;

/// <summary>
/// Finds every error of a subscription's options at once. Each names the setting, its value and what to write instead. Thread-safe: no state.
/// </summary>
internal static class SubscriptionOptionsValidator
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>Throws one exception with all errors.</summary>
    public static void ThrowIfInvalid(SubscriptionOptions options, string topic, KafkaAssignor assignor, bool isBatch, IEnumerable<string> more)
    {
        string[] errors = [.. Check(options, topic, assignor, isBatch), .. more];
        if (errors.Length > 0)
        {
            throw new KafkaConfigurationException(errors);
        }
    }

    private static List<string> Check(SubscriptionOptions options, string topic, KafkaAssignor assignor, bool isBatch)
    {
        var errors = new List<string>(options.BindingErrors);
        CheckValues(options, topic, errors);
        if (options.Retry.PreserveKeyOrder && WhyNotInOrder(options, topic, assignor, isBatch) is { } reason)
        {
            errors.Add($"the subscription to '{topic}' sets Retry.PreserveKeyOrder {reason}");
        }

        if (options.Once.Enabled && isBatch)
        {
            errors.Add($"the subscription to '{topic}' sets Once.Enabled and has a batch handler: a batch is not handled once as a whole. Handle messages "
                + $"one by one, or store them with AddMessageStore.");
        }

        if (options.Once.Enabled && options.ExactlyOnce.Enabled)
        {
            errors.Add(
                $"the subscription to '{topic}' sets Once.Enabled and ExactlyOnce.Enabled: one commits in the inbox's store, the other in Kafka, and nothing "
                    + $"commits both together. Leave one of the two off.");
        }

        if (options.Retry.Topic.IsEnabled)
        {
            CheckRetryTopic(options, topic, errors);
        }

        return errors;
    }

    private static void CheckValues(SubscriptionOptions options, string topic, List<string> errors)
    {
        var (retry, circuit, transactions) = (options.Retry, options.CircuitBreaker, options.ExactlyOnce);
        Number("Parallelism", options.Parallelism, 1, 10_000);
        Number("MaxBatchSize", options.MaxBatchSize, 1, 100_000);
        Time("MaxBatchWait", options.MaxBatchWait, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        Above("Timeout", options.Timeout, Day);
        Defined("Order", options.Order);
        Defined("StartPosition", options.StartPosition);
        Defined("OnOutOfRange", options.OnOutOfRange);
        Defined("OnUnhandled", options.OnUnhandled);
        Defined<UnknownTypePolicy>("OnUnknownType", options.OnUnknownType);

        Number("Retry:InMemory:MaxAttempts", retry.InMemory.MaxAttempts, 0, 1_000);
        Time("Retry:InMemory:Delay", retry.InMemory.Delay, TimeSpan.Zero, Day);
        Above("Retry:InMemory:MaxDelay", retry.InMemory.MaxDelay, Day);
        Defined<DelayBackoffType>("Retry:InMemory:BackoffType", retry.InMemory.BackoffType);
        Number("Retry:Topic:MaxAttempts", retry.Topic.MaxAttempts, 0, 1_000);
        Time("Retry:Topic:Delay", retry.Topic.Delay, TimeSpan.Zero, Backoff.Longest);
        Above("Retry:Topic:MaxDelay", retry.Topic.MaxDelay, Backoff.Longest);
        Defined<DelayBackoffType>("Retry:Topic:BackoffType", retry.Topic.BackoffType);
        Name("Retry:Topic:Name", retry.Topic.Name);
        Defined<AfterDeadLetter>("Retry:AfterDeadLetter", retry.AfterDeadLetter);
        foreach (var (type, action) in retry.ExceptionActions)
        {
            Defined<FailureAction>($"Retry:ExceptionActions[{type.Name}]", action);
        }

        Name("DeadLetter:TopicName", options.DeadLetter.TopicName);
        if (options.DeadLetter.TopicName is not null && !options.HasFailureTopics)
        {
            Error("DeadLetter:TopicName", options.DeadLetter.TopicName, "nothing is published there: set DeadLetter.Enabled = true, or remove the name");
        }

        if (!(circuit.FailureRatio > 0 && circuit.FailureRatio <= 1))
        {
            Error("CircuitBreaker:FailureRatio", circuit.FailureRatio, "write a ratio above 0, at most 1, such as 0.5");
        }

        Number("CircuitBreaker:MinimumThroughput", circuit.MinimumThroughput, 1, 1_000_000);
        Time("CircuitBreaker:SamplingDuration", circuit.SamplingDuration, TimeSpan.FromSeconds(1), Day);
        Time("CircuitBreaker:BreakDuration", circuit.BreakDuration, TimeSpan.FromMilliseconds(1), Day);
        Time("CircuitBreaker:MaxBreakDuration", circuit.MaxBreakDuration, circuit.BreakDuration, Day);

        Above("Once:Retention", options.Once.Retention, Backoff.Longest);
        Number("ExactlyOnce:MaxMessages", transactions.MaxMessages, 1, 100_000);
        Time("ExactlyOnce:MaxWait", transactions.MaxWait, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        Time("ExactlyOnce:TransactionTimeout", transactions.TransactionTimeout, TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(15));
        if (transactions.TimeLimit is { } limit && (limit <= TimeSpan.Zero || limit >= transactions.TransactionTimeout))
        {
            Error("ExactlyOnce:TimeLimit", limit,
                $"write a time above 0 and below TransactionTimeout, which is {Duration.Text(transactions.TransactionTimeout)}, or nothing");
        }

        NotEmpty("ExactlyOnce:InstanceName", transactions.InstanceName);
        NotEmpty("ExactlyOnce:TransactionalIdPrefix", transactions.TransactionalIdPrefix);

        void Error(string setting, object? value, string instead) =>
            errors.Add(
                string.Create(CultureInfo.InvariantCulture,
                    $"Kafka:Subscriptions:{options.Name ?? topic}:{setting} = {(value is "" or null ? "(empty)" : value)}: {instead}."));

        void Number(string setting, int? value, int min, int max)
        {
            if (value < min || value > max)
            {
                Error(setting, value, string.Create(CultureInfo.InvariantCulture, $"write a number from {min:N0} to {max:N0}"));
            }
        }

        void Time(string setting, TimeSpan? value, TimeSpan min, TimeSpan max)
        {
            if (value < min || value > max)
            {
                Error(setting, value, $"write a time from {min:c} to {max:c}");
            }
        }

        void Above(string setting, TimeSpan? value, TimeSpan max)
        {
            if (value <= TimeSpan.Zero || value > max)
            {
                Error(setting, value, $"write a time above 0, at most {max:c}");
            }
        }

        void Defined<T>(string setting, T? value)
            where T : struct, Enum
        {
            if (value is { } given && !Enum.IsDefined(given))
            {
                Error(setting, value, $"write one of {string.Join(", ", Enum.GetNames<T>())}");
            }
        }

        void Name(string setting, string? value)
        {
            if (value is not null && !TopicName.IsLegal(value))
            {
                Error(setting, value, $"write {TopicName.Rule}");
            }
        }

        void NotEmpty(string setting, string? value)
        {
            if (value is not null && string.IsNullOrWhiteSpace(value))
            {
                Error(setting, "", "write a name, or nothing");
            }
        }
    }

    private static void CheckRetryTopic(SubscriptionOptions options, string topic, List<string> errors)
    {
        if (options.Order is MessageOrder.ByKey or MessageOrder.ByPartition && !options.Retry.AllowReorder && !options.Retry.PreserveKeyOrder)
        {
            errors.Add(
                $"the subscription to '{topic}' sets Order = {options.Order} and has a retry topic: later messages overtake a failed one there. Set "
                    + $"Retry.PreserveKeyOrder = true to keep the order of each key; "
                + "Retry.AllowReorder = true where another order is right; leave Order out; or retry in memory only (Retry.InMemory), which keeps the order "
                + $"of each {(options.Order is MessageOrder.ByKey ? "key" : "partition")}.");
        }

        if (options.Retry.Topic.Name is { } name && (TopicName.IsPattern(topic) || string.Equals(name, topic, StringComparison.Ordinal)))
        {
            errors.Add(TopicName.IsPattern(topic)
                ? $"the subscription to the pattern '{topic}' sets Retry.Topic.Name = '{name}': each topic that a pattern finds has a retry topic of its own. "
                    + "Leave the name out."
                : $"the subscription to '{topic}' sets Retry.Topic.Name to that same topic. Name another one, or leave the name out.");
        }
    }

    private static string? WhyNotInOrder(SubscriptionOptions options, string topic, KafkaAssignor assignor, bool isBatch) => options switch
    {
        { Retry.Topic.IsEnabled: false } =>
            "and has no retry topic: set Retry.Topic.MaxAttempts, or leave PreserveKeyOrder out; retries in memory keep the order of a key by themselves.",
        { Retry.AllowReorder: true } => "and Retry.AllowReorder: leave one of them out.",
        { Order: MessageOrder.ByPartition } => "and Order = ByPartition: it keeps the order of each key, not that of a partition. Set Order = ByKey.",
        { Order: MessageOrder.Unordered } => "and Order = Unordered: leave one of them out.",
        { Retry.Topic.AdoptRecordsWithoutGroup: true } =>
            "and Retry.Topic.AdoptRecordsWithoutGroup: what another system writes into the retry topic has no place in a key's order. Leave one of them out.",
        _ when isBatch =>
            "and has a batch handler: it keeps the order of each key, and a batch fails with several. Handle messages one by one, or retry in memory only "
                + "(Retry.InMemory).",
        _ when TopicName.IsPattern(topic) => "and is to a pattern: subscribe to each topic by its name.",
        _ when assignor is KafkaAssignor.RoundRobin => "which needs the range assignor, and Assignor is RoundRobin. Leave Assignor out, or choose Range.",
        _ => null,
    };
}
