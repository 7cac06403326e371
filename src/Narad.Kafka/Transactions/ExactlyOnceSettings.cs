namespace Narad.Kafka.Transactions;

/// <summary>The options of a group's transactions with the defaults filled in; immutable, and equal where they say the same.</summary>
internal sealed record ExactlyOnceSettings(int MaxMessages, TimeSpan MaxWait, TimeSpan TimeLimit, TimeSpan TransactionTimeout, string Prefix, string? Instance)
{
    public static ExactlyOnceSettings From(ExactlyOnceOptions options, KafkaOptions defaults) => new(
        options.MaxMessagesValue,
        options.MaxWaitValue,
        options.TimeLimitValue ?? options.TransactionTimeoutValue * 0.75,
        options.TransactionTimeoutValue,
        options.TransactionalIdPrefixValue ?? defaults.ClientId,
        options.InstanceNameValue ?? (string.IsNullOrEmpty(defaults.GroupInstanceId) ? null : defaults.GroupInstanceId));
}
