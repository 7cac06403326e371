using Narad.Kafka;

namespace Notifications;

/// <summary>Publishes what was stored to all server instances. Thread-safe.</summary>
internal sealed class NotificationEvents(IKafkaProducer kafka)
{
    public async Task PublishAddedAsync(IReadOnlyList<StoredNotification> added, CancellationToken cancellationToken) => await kafka.SendManyAsync(
        NotificationsRoles.EventsTopic,
        added.Select(static notification => new NotificationEvent(notification.UserId, Added: notification)),
        static published => published.UserId,
        cancellationToken: cancellationToken);

    public async Task PublishChangedAsync(string userId, StateChange change) => await kafka.SendAsync(
        NotificationsRoles.EventsTopic, new NotificationEvent(userId, Changed: change), userId);
}
