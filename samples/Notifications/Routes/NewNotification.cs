using System.ComponentModel.DataAnnotations;

namespace Notifications.Routes;

/// <summary>The body of <c>POST /notifications</c>: to <see cref="UserId"/>, to <see cref="UserIds"/>, or to all.</summary>
/// <param name="Message">1 to 4,000 characters, not only spaces.</param>
/// <param name="UserId">One user.</param>
/// <param name="UserIds">Up to 1,000 users.</param>
/// <param name="All">Every user who has connected or has a notification.</param>
/// <param name="ExpiresAt">When it is deleted; left out, after <c>Notifications:Retention</c>.</param>
public sealed record NewNotification(
    [property: Required, StringLength(Notification.MaxMessageLength)] string? Message,
    string? UserId = null,
    IReadOnlyList<string>? UserIds = null,
    bool All = false,
    DateTimeOffset? ExpiresAt = null) : IValidatableObject
{
    private const int MaxUsers = 1_000;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if ((UserId is null ? 0 : 1) + (UserIds is null ? 0 : 1) + (All ? 1 : 0) != 1)
        {
            yield return new ValidationResult("Name one of userId, userIds and all.", [nameof(UserId)]);
        }

        if (UserId is not null && !Notification.IsUserId(UserId))
        {
            yield return new ValidationResult("A userId has 1 to 100 letters, digits, and . _ - @ + :", [nameof(UserId)]);
        }

        if (UserIds is not null && (UserIds.Count is 0 or > MaxUsers || !UserIds.All(Notification.IsUserId)))
        {
            yield return new ValidationResult($"userIds has 1 to {MaxUsers:N0} ids, each of 1 to 100 letters, digits, and . _ - @ + :", [nameof(UserIds)]);
        }
    }
}

/// <summary>The answer: a notification each.</summary>
/// <param name="Sent">Which is whose.</param>
public sealed record SentNotifications(IReadOnlyList<SentNotification> Sent);

/// <summary>One of them.</summary>
public sealed record SentNotification(string Id, string UserId);
