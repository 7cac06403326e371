using Microsoft.Extensions.Options;
using Narad.Kafka;
using Notifications.Storage;

namespace Notifications;

/// <summary>
/// Stores what is in the topic, then publishes what is pending as events, in the same order. Only then the offsets are committed: a process that dies in
/// between stores again, which changes nothing, and publishes again what no client has acknowledged.
/// </summary>
internal sealed class StoreNotifications(INotificationStore store, NotificationEvents events, IOptions<NotificationsOptions> options, TimeProvider time)
    : IBatchHandler<Notification>
{
    public async Task HandleAsync(MessageBatch<Notification> batch, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var valid = batch.Items.TakeWhile(static item => item.Message.Validate() is null).ToList();
        var current = valid.Select(item => Complete(item.Message, item.Context)).Where(notification => notification.ExpiresAt > now).ToList();
        if (current.Count > 0)
        {
            var pending = await store.StoreAsync(current, cancellationToken);
            await events.PublishAddedAsync(pending, cancellationToken);
        }

        if (valid.Count < batch.Items.Count)
        {
            throw new BatchFailedException(valid.Count, new DeadLetterException(batch.Items[valid.Count].Message.Validate()!));
        }
    }

    private StoredNotification Complete(Notification notification, MessageContext context)
    {
        var timestamp = notification.Timestamp ?? context.Timestamp;
        return new StoredNotification
        {
            Id = notification.Id,
            UserId = notification.UserId,
            Message = notification.Message,
            Timestamp = timestamp,
            ExpiresAt = notification.ExpiresAt ?? timestamp + options.Value.Retention,
            Position = 0,   // the storage's
        };
    }
}
