namespace Narad.Kafka.Transactions;

/// <summary>The options of a group's transactions with the defaults filled in; immutable, and equal where they say the same.</summary>
internal sealed record ExactlyOnceSettings(int MaxMessages, TimeSpan MaxWait, TimeSpan TimeLimit, TimeSpan TransactionTimeout, string Prefix, string? Instance)
{
    public static ExactlyOnceSettings From(ExactlyOnceOptions options, KafkaOptions defaults) => new(
        options.MaxMessages,
        options.MaxWait,
        options.TimeLimit ?? options.TransactionTimeout * 0.75,
        options.TransactionTimeout,
        options.TransactionalIdPrefix ?? defaults.ClientId,
        options.InstanceName ?? (string.IsNullOrEmpty(defaults.GroupInstanceId) ? null : defaults.GroupInstanceId));
}
