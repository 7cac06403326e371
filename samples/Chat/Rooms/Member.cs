namespace Chat.Rooms;

/// <summary>What is known of a user in a room. Only grows: see <see cref="With(MemberChange)"/> and <see cref="With(Receipt)"/>.</summary>
/// <param name="UserId">The user.</param>
/// <param name="State">Whether the user is a member.</param>
/// <param name="ChangedAt">The sequence of the change that made it so.</param>
/// <param name="FirstJoinedAt">The sequence of the first time that the user joined; 0: never.</param>
/// <param name="DeliveredUpTo">Received up to this sequence. At least <paramref name="ReadUpTo"/>.</param>
/// <param name="ReadUpTo">Read up to this sequence.</param>
internal sealed record Member(string UserId, MemberState State, long ChangedAt, long FirstJoinedAt, long DeliveredUpTo, long ReadUpTo)
{
    public static Member None(string userId) => new(userId, MemberState.None, 0, 0, 0, 0);

    public bool IsMember => State is MemberState.Joined;

    /// <summary>Messages from here on are news to the user: those before it joined are history.</summary>
    public long SeenUpTo => IsMember ? Math.Max(ReadUpTo, ChangedAt) : ReadUpTo;

    /// <summary>The later change counts, in whatever order they come.</summary>
    public Member With(MemberChange change)
    {
        var first = change.State is MemberState.Joined && (FirstJoinedAt == 0 || change.Sequence < FirstJoinedAt) ? change.Sequence : FirstJoinedAt;
        return change.Sequence > ChangedAt
            ? this with { State = change.State, ChangedAt = change.Sequence, FirstJoinedAt = first }
            : this with { FirstJoinedAt = first };
    }

    /// <summary>Receipts never go backwards, in whatever order they come. What was read was received.</summary>
    public Member With(Receipt receipt)
    {
        var read = Math.Max(ReadUpTo, receipt.ReadUpTo);
        return this with { ReadUpTo = read, DeliveredUpTo = Math.Max(read, Math.Max(DeliveredUpTo, receipt.DeliveredUpTo)) };
    }

    /// <summary>Both states of knowledge together.</summary>
    public Member With(Member other)
    {
        var first = FirstJoinedAt == 0 ? other.FirstJoinedAt : other.FirstJoinedAt == 0 ? FirstJoinedAt : Math.Min(FirstJoinedAt, other.FirstJoinedAt);
        var newer = other.ChangedAt > ChangedAt ? other : this;
        return (this with { State = newer.State, ChangedAt = newer.ChangedAt, FirstJoinedAt = first })
            .With(new Receipt(other.UserId, other.DeliveredUpTo, other.ReadUpTo));
    }
}

internal enum MemberState
{
    None,
    Joined,
    Left,

    /// <summary>May not join again.</summary>
    Removed,
}

/// <summary>A user joined, left or was removed.</summary>
internal sealed record MemberChange(string UserId, MemberState State, long Sequence);

/// <summary>A user's receipt: everything up to a sequence.</summary>
internal sealed record Receipt(string UserId, long DeliveredUpTo, long ReadUpTo);

/// <summary>A message of a room.</summary>
internal sealed record Message(string MessageId, string RoomId, string UserId, string Text, long Sequence, DateTimeOffset Timestamp);
