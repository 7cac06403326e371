namespace Narad.Kafka;

/// <summary>A subscription that an inbox serves.</summary>
/// <param name="Topic">The topic or pattern, as its real name.</param>
/// <param name="Group">The consumer group.</param>
/// <param name="HandlerTimeout">The time limit of one invocation (<see cref="SubscriptionOptions.Timeout"/>); null: none.</param>
/// <param name="Retention">How long a handled message is remembered.</param>
public sealed record InboxSubscription(string Topic, string Group, TimeSpan? HandlerTimeout, TimeSpan Retention);
