using Narad.Kafka;
using Notifications.Storage;

namespace Notifications;

/// <summary>Changes states in the storage, then publishes the change to the other devices of the user. Thread-safe.</summary>
internal sealed class ChangeStates(INotificationStore store, NotificationEvents events, ILogger<ChangeStates> logger)
{
    /// <returns>How many changed.</returns>
    /// <exception cref="StoreUnavailableException">The storage does not answer.</exception>
    public async Task<long> ChangeAsync(string userId, StateChange change, CancellationToken cancellationToken)
    {
        var changed = await store.ChangeAsync(userId, change, cancellationToken);
        if (changed > 0)
        {
            _ = PublishAsync(userId, change);   // it is stored, so that the caller does not wait for a broker that is away
        }

        return changed;
    }

    private async Task PublishAsync(string userId, StateChange change)
    {
        try
        {
            await events.PublishChangedAsync(userId, change);
        }
        catch (NaradKafkaException failure)
        {
            logger.LogWarning("States changed, and other devices see it only when they read the list again: {Reason}", failure.Message);
        }
    }
}
