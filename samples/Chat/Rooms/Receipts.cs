using Chat.Contract;

namespace Chat.Rooms;

/// <summary>
/// How far the members of a room have received and read. The status of a message follows from the highest receipt of anybody but its sender; former members
/// count, so that a status never goes backwards. Immutable.
/// </summary>
internal sealed class Receipts
{
    private readonly (string UserId, long Value)[] _delivered;
    private readonly (string UserId, long Value)[] _read;

    public Receipts(IEnumerable<Member> members)
    {
        var all = members.ToList();
        _delivered = HighestTwo(all.Select(static member => (member.UserId, Math.Max(member.DeliveredUpTo, member.ReadUpTo))));
        _read = HighestTwo(all.Select(static member => (member.UserId, member.ReadUpTo)));
    }

    /// <summary>Messages of this sender up to here were received by somebody else.</summary>
    public long DeliveredUpTo(string senderId) => Of(_delivered, senderId);

    /// <summary>Messages of this sender up to here were read by somebody else.</summary>
    public long ReadUpTo(string senderId) => Of(_read, senderId);

    public MessageStatus StatusOf(string senderId, long sequence) =>
        sequence <= ReadUpTo(senderId) ? MessageStatus.Read
        : sequence <= DeliveredUpTo(senderId) ? MessageStatus.Delivered
        : MessageStatus.Sent;

    // The second one is for messages of the user who has the first.
    private static (string UserId, long Value)[] HighestTwo(IEnumerable<(string UserId, long Value)> values) =>
        [.. values.OrderByDescending(static one => one.Value).Take(2)];

    private static long Of((string UserId, long Value)[] values, string senderId)
    {
        foreach (var (userId, value) in values)
        {
            if (userId != senderId)
            {
                return value;
            }
        }

        return 0;
    }
}
