using Narad.Kafka;
using Notifications.Storage;

namespace Notifications.Routes;

/// <summary><c>POST /notifications</c>: answers 202 when Kafka has a notification for each user.</summary>
internal static class SendNotifications
{
    private const int MostAtOnce = 1_000;

    // No cancellation token: a client that hangs up does not leave half of the users without.
    public static async Task<IResult> HandleAsync(NewNotification body, IKafkaProducer kafka, INotificationStore store, TimeProvider time)
    {
        var users = body.All ? store.UsersAsync(CancellationToken.None) : (body.UserIds ?? [body.UserId!]).Distinct(StringComparer.Ordinal).ToAsyncEnumerable();
        var sent = new List<SentNotification>();
        await foreach (var some in users.Chunk(MostAtOnce))
        {
            var now = time.GetUtcNow();
            var notifications = Array.ConvertAll(some, userId => new Notification
            {
                Id = Guid.CreateVersion7(now).ToString(), UserId = userId, Message = body.Message!, Timestamp = now, ExpiresAt = body.ExpiresAt,
            });
            await kafka.SendManyAsync(NotificationsRoles.Topic, notifications, static notification => notification.UserId);
            sent.AddRange(notifications.Select(static notification => new SentNotification(notification.Id, notification.UserId)));
        }

        return Results.Json(new SentNotifications(sent), statusCode: StatusCodes.Status202Accepted);
    }
}
