using Narad.Kafka;

namespace Notifications;

/// <summary>Publishes what was stored to all server instances. Thread-safe.</summary>
internal sealed class NotificationEvents(IKafkaProducer kafka)
{
    /// <exception cref="StoreUnavailableException">Kafka did not confirm all of them. The message that is handled is not to blame, and is handled
    /// again.</exception>
    public async Task PublishAddedAsync(IReadOnlyList<StoredNotification> added, CancellationToken cancellationToken)
    {
        try
        {
            await kafka.SendManyAsync(
                NotificationsRoles.EventsTopic,
                added.Select(static notification => new NotificationEvent(notification.UserId, Added: notification)),
                static published => published.UserId,
                cancellationToken: cancellationToken);
        }
        catch (NaradKafkaException failure)
        {
            throw new StoreUnavailableException("Events could not be published: Kafka does not answer.", failure);
        }
    }

    public async Task PublishChangedAsync(string userId, StateChange change) => await kafka.SendAsync(
        NotificationsRoles.EventsTopic, new NotificationEvent(userId, Changed: change), userId);
}
