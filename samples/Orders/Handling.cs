using Narad.Kafka;

namespace Orders;

/// <summary>How messages are handled.</summary>
internal static class Handling
{
    /// <summary>
    /// Each message once, in the order of its key also through retries: a refund waits behind the charge that fails. In the end a message is a dead letter, and
    /// the next one of the order follows.
    /// </summary>
    public static void HandleOnce(this SubscriptionOptions subscription)
    {
        subscription.Once.Enabled = true;
        subscription.Timeout = TimeSpan.FromSeconds(30);
        subscription.Retry.Topic.MaxAttempts = 3;   // after 1, 2 and 4 s
        subscription.Retry.Topic.Delay = TimeSpan.FromSeconds(1);
        subscription.Retry.PreserveKeyOrder = true;
        subscription.DeadLetter.Enabled = true;
    }
}
