namespace Narad.Kafka;

/// <summary>Where a subscription stores its messages.</summary>
/// <param name="Collection">The collection (or table).</param>
/// <param name="WriteMode">What happens to a message whose id is there already.</param>
/// <param name="Retention">How long a stored message is kept; null: for ever.</param>
public sealed record MessageStoreTarget(string Collection, MessageWriteMode WriteMode = MessageWriteMode.InsertIfAbsent, TimeSpan? Retention = null);
