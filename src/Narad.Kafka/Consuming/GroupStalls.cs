namespace Narad.Kafka.Consuming;

/// <summary>Everything that keeps a group from consuming at the moment, for the health check. No state.</summary>
internal static class GroupStalls
{
    /// <summary>Causes with how long they last; those that just began included.</summary>
    public static IEnumerable<Stall> Of(ConsumerGroup group)
    {
        var subscriptions = group.Subscriptions;
        foreach (var subscription in subscriptions)
        {
            switch (subscription.State)
            {
                case SubscriptionState.Joining when group.Loop?.IsStopping is not true:
                    yield return new Stall($"group '{group.Name}' has not been joined for '{subscription.Topic}'. Look at what the log says of this "
                        + "group, and at its coordinator", subscription.StateAge);
                    break;
                case SubscriptionState.TopicMissing when subscription is { IsOptional: false, Settings.IsPattern: false }:
                    yield return new Stall($"topic '{subscription.Topic}' of group '{group.Name}' does not exist. Create it, or set TopicCreation to "
                        + "IfMissing", subscription.StateAge);
                    break;
            }
        }

        foreach (var stall in group.Errors.Now(subscriptions.SelectMany(static subscription => subscription.Assignment).ToHashSet()))
        {
            yield return stall;
        }

        foreach (var stall in group.Loop?.Stalls ?? [])
        {
            yield return stall;
        }
    }
}
