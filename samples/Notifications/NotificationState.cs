namespace Notifications;

/// <summary>How far a notification is, for all devices of its user. A state never becomes an earlier one.</summary>
public enum NotificationState
{
    /// <summary>Stored. It may have been sent to a client, but none has acknowledged it.</summary>
    Pending,

    /// <summary>A client acknowledged it.</summary>
    Delivered,

    /// <summary>The user opened the list that it is in.</summary>
    Seen,

    Read,

    Archived,
}
