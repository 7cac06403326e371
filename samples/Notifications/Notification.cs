using System.Text.RegularExpressions;

namespace Notifications;

/// <summary>
/// A notification as it is in the topic. The key of the message is <see cref="UserId"/>, so that the notifications of a user keep their order.
/// </summary>
public sealed partial record Notification
{
    public const int MaxMessageLength = 4_000;
    private const int MaxIdLength = 200;

    /// <summary>Unique for its user: a notification with an id that the user has already is ignored.</summary>
    public required string Id { get; init; }

    public required string UserId { get; init; }

    public required string Message { get; init; }

    /// <summary>When it was sent; left out, the time of the Kafka message.</summary>
    public DateTimeOffset? Timestamp { get; init; }

    /// <summary>When it is deleted, delivered or not; left out, after <see cref="NotificationsOptions.Retention"/>.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Whether a text is the id of a user: 1 to 100 letters, digits, and <c>. _ - @ + :</c>.</summary>
    public static bool IsUserId(string? text) => text is not null && UserIdPattern().IsMatch(text);

    /// <summary>Says why this cannot be stored.</summary>
    /// <returns>A reason; null where it can.</returns>
    public string? Validate() =>
        string.IsNullOrWhiteSpace(Id) || Id.Length > MaxIdLength ? $"The id has 1 to {MaxIdLength} characters."
        : !IsUserId(UserId) ? "The userId has 1 to 100 letters, digits, and . _ - @ + :"
        : string.IsNullOrWhiteSpace(Message) || Message.Length > MaxMessageLength ? $"The message has 1 to {MaxMessageLength} characters."
        : null;

    [GeneratedRegex(@"\A[A-Za-z0-9._@+:-]{1,100}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex UserIdPattern();
}
