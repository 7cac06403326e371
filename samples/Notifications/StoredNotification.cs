namespace Notifications;

/// <summary>A notification as it is stored, and as clients get it: what the topic has, its state and its position.</summary>
public sealed record StoredNotification
{
    public required string Id { get; init; }

    public required string UserId { get; init; }

    public required string Message { get; init; }

    public required DateTimeOffset Timestamp { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public NotificationState State { get; init; }

    /// <summary>Grows with each notification of a user, in the order of the topic.</summary>
    public required long Position { get; init; }
}

/// <summary>A change of states.</summary>
/// <param name="State">The new state.</param>
/// <param name="Ids">Of these notifications; null: of all up to <paramref name="UpTo"/>.</param>
/// <param name="UpTo">A position; null: of all.</param>
public sealed record StateChange(NotificationState State, IReadOnlyList<string>? Ids, long? UpTo);

/// <summary>What each server instance passes on to the connections of a user: a notification that was stored, or a change of states.</summary>
/// <param name="UserId">Whose; the key of the message.</param>
/// <param name="Added">A notification that is stored and pending.</param>
/// <param name="Changed">A change that is stored.</param>
public sealed record NotificationEvent(string UserId, StoredNotification? Added = null, StateChange? Changed = null);
