using System.Collections.Concurrent;
using Chat.Contract;
using Chat.Presence;
using Chat.Storage;

namespace Chat.Rooms;

/// <summary>The rooms of this instance, and what is asked about them: the storage and this instance's reading of the log together. Thread-safe.</summary>
internal sealed class RoomDirectory(IChatStorage storage, OnlineUsers online)
{
    private const int MostUnreadShown = 50;

    private readonly ConcurrentDictionary<string, Room> _rooms = new(StringComparer.Ordinal);

    // Rooms that a user joined or left while this instance read the log; the room says which.
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, bool>> _changed = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _loading = new(8);

    public IEnumerable<Room> All => _rooms.Values;

    /// <summary>The room as the log says it; it may not be loaded.</summary>
    public Room FromLog(string roomId) => _rooms.GetOrAdd(roomId, static id => new Room(id));

    /// <summary>Notes that a user joined or left, for <see cref="RoomsOfAsync"/>.</summary>
    public void NoteChange(string userId, string roomId) => _changed.GetOrAdd(userId, static _ => new(StringComparer.Ordinal)).TryAdd(roomId, true);

    /// <summary>The room, loaded.</summary>
    public async Task<Room> LoadAsync(string roomId, CancellationToken cancellationToken)
    {
        var room = FromLog(roomId);
        if (room.IsLoaded)
        {
            return room;
        }

        await _loading.WaitAsync(cancellationToken);
        try
        {
            if (!room.IsLoaded)
            {
                var stored = await storage.RoomAsync(roomId, cancellationToken);
                room.Load(stored.FirstSequence, stored.Head, stored.Members);
            }
        }
        finally
        {
            _loading.Release();
        }

        return room;
    }

    /// <summary>The room where the user is a member of it; else null.</summary>
    public async Task<Room?> OfMemberAsync(string? roomId, string userId, CancellationToken cancellationToken) =>
        RoomRules.IsRoom(roomId) && await LoadAsync(roomId!, cancellationToken) is var room && room[userId].IsMember ? room : null;

    public async Task<IReadOnlyList<Room>> RoomsOfAsync(string userId, CancellationToken cancellationToken)
    {
        var ids = (await storage.RoomsOfAsync(userId, cancellationToken)).ToHashSet(StringComparer.Ordinal);
        ids.UnionWith(_changed.GetValueOrDefault(userId)?.Keys ?? []);
        var rooms = new List<Room>(ids.Count);
        foreach (var id in ids)
        {
            if (await OfMemberAsync(id, userId, cancellationToken) is { } room)
            {
                rooms.Add(room);
            }
        }

        return rooms;
    }

    public RoomView View(Room room, string userId) => new(
        room.RoomId,
        room.Head,
        room.FirstSequence,
        room[userId].SeenUpTo,
        room.OwnerId,
        [.. room.Members.Select(member => new MemberView(
            member.UserId, member.IsMember && online.IsOnline(member.UserId), member.IsMember, member.DeliveredUpTo, member.ReadUpTo))]);

    /// <summary>Messages above <paramref name="after"/>, oldest first: all of them, whether they are stored or not.</summary>
    public Task<IReadOnlyList<Message>> AfterAsync(Room room, long after, int limit, CancellationToken cancellationToken) =>
        PageAsync(room, after, long.MaxValue, limit, newestFirst: false, cancellationToken);

    /// <summary>Messages below <paramref name="before"/>, newest first.</summary>
    public Task<IReadOnlyList<Message>> BeforeAsync(Room room, long before, int limit, CancellationToken cancellationToken) =>
        PageAsync(room, 0, before, limit, newestFirst: true, cancellationToken);

    public async Task<IReadOnlyList<RoomSummary>> SummariesAsync(string userId, CancellationToken cancellationToken)
    {
        var summaries = new List<RoomSummary>();
        foreach (var room in await RoomsOfAsync(userId, cancellationToken))
        {
            var seen = room[userId].SeenUpTo;
            var last = (await BeforeAsync(room, long.MaxValue, 1, cancellationToken)).FirstOrDefault();
            var unread = last?.Sequence > seen ? await UnreadAsync(room, userId, seen, cancellationToken) : 0;
            summaries.Add(new RoomSummary(room.RoomId, unread, seen, last?.Sequence ?? 0, last?.Text, last?.Timestamp));
        }

        return [.. summaries.OrderByDescending(static room => room.LastActivity).ThenBy(static room => room.RoomId, StringComparer.Ordinal)];
    }

    public async Task<UnreadMessages> UnreadAsync(string userId, CancellationToken cancellationToken)
    {
        var rooms = new List<UnreadRoom>();
        foreach (var room in await RoomsOfAsync(userId, cancellationToken))
        {
            var seen = room[userId].SeenUpTo;
            if (await UnreadAsync(room, userId, seen, cancellationToken) is > 0 and var unread)
            {
                var messages = await AfterAsync(room, seen, MostUnreadShown, cancellationToken);
                rooms.Add(new UnreadRoom(room.RoomId, unread, seen, View(room, messages.Where(message => message.UserId != userId))));
            }
        }

        return new UnreadMessages(userId, rooms.Sum(static room => room.Unread), rooms);
    }

    public async Task<RoomStats> StatsAsync(Room room, CancellationToken cancellationToken)
    {
        var receipts = room.Receipts;
        var totals = await CountByUserAsync(room, long.MaxValue, cancellationToken);
        var counts = new Dictionary<long, IReadOnlyDictionary<string, long>>();
        var users = new List<UserCounts>();
        foreach (var (userId, total) in totals.OrderByDescending(static one => one.Value).ThenBy(static one => one.Key, StringComparer.Ordinal))
        {
            var read = await UpToAsync(userId, receipts.ReadUpTo(userId));
            var delivered = await UpToAsync(userId, receipts.DeliveredUpTo(userId));
            users.Add(new UserCounts(userId, total, new StatusCounts(total - delivered, delivered - read, read)));
        }

        var last = (await BeforeAsync(room, long.MaxValue, 1, cancellationToken)).FirstOrDefault();
        return new RoomStats(
            room.RoomId,
            users.Sum(static user => user.Total),
            new StatusCounts(
                users.Sum(static user => user.ByStatus.Sent),
                users.Sum(static user => user.ByStatus.Delivered),
                users.Sum(static user => user.ByStatus.Read)),
            users,
            last?.Timestamp);

        // Few different sequences: the two highest receipts of each kind.
        async Task<long> UpToAsync(string userId, long sequence)
        {
            if (!counts.TryGetValue(sequence, out var byUser))
            {
                counts[sequence] = byUser = await CountByUserAsync(room, sequence, cancellationToken);
            }

            return Math.Min(byUser.GetValueOrDefault(userId), totals[userId]);
        }
    }

    /// <summary>The messages with these ids that are in rooms of this user.</summary>
    public async Task<IReadOnlyList<(Room Room, Message Message)>> FindAsync(
        string userId, IReadOnlyCollection<string> messageIds, CancellationToken cancellationToken)
    {
        var found = new List<(Room, Message)>();
        var stored = await storage.FindAsync(messageIds, cancellationToken);
        var candidates = stored.Concat(_rooms.Values.SelectMany(static room => room.Tail()).Where(message => messageIds.Contains(message.MessageId)));
        foreach (var message in candidates.DistinctBy(static message => (message.RoomId, message.MessageId)))
        {
            if (await OfMemberAsync(message.RoomId, userId, cancellationToken) is { } room)
            {
                found.Add((room, message));
            }
        }

        return found;
    }

    public static IReadOnlyList<MessageView> View(Room room, IEnumerable<Message> messages)
    {
        var receipts = room.Receipts;
        return [.. messages.Select(message => new MessageView(
            message.MessageId, message.RoomId, message.UserId, message.Text, message.Sequence, message.Timestamp,
            receipts.StatusOf(message.UserId, message.Sequence)))];
    }

    // First the tail, then the storage: what leaves the tail in between is stored.
    private async Task<IReadOnlyList<Message>> PageAsync(
        Room room, long after, long before, int limit, bool newestFirst, CancellationToken cancellationToken)
    {
        var tail = room.Tail().Where(message => message.Sequence > after && message.Sequence < before);
        var stored = await storage.PageAsync(room.RoomId, after, before, limit, newestFirst, cancellationToken);
        var all = Merge(stored, tail);
        return [.. (newestFirst ? all.OrderByDescending(static message => message.Sequence) : all.OrderBy(static message => message.Sequence)).Take(limit)];
    }

    private async Task<long> UnreadAsync(Room room, string userId, long seen, CancellationToken cancellationToken)
    {
        var (tail, head) = await TailAsync(room, cancellationToken);
        return await storage.CountAsync(room.RoomId, seen, head, userId, cancellationToken)
            + tail.LongCount(message => message.Sequence > seen && message.UserId != userId);
    }

    private async Task<IReadOnlyDictionary<string, long>> CountByUserAsync(Room room, long upTo, CancellationToken cancellationToken)
    {
        var (tail, head) = await TailAsync(room, cancellationToken);
        var counts = (await storage.CountByUserAsync(room.RoomId, Math.Min(upTo, head), cancellationToken)).ToDictionary(StringComparer.Ordinal);
        foreach (var message in tail.Where(message => message.Sequence <= upTo))
        {
            counts[message.UserId] = counts.GetValueOrDefault(message.UserId) + 1;
        }

        return counts;
    }

    // What is not stored, and up to where the rest is.
    private async Task<(IReadOnlyList<Message> Tail, long StoredUpTo)> TailAsync(Room room, CancellationToken cancellationToken)
    {
        var tail = room.Tail();
        var head = (await storage.PageAsync(room.RoomId, 0, long.MaxValue, 1, newestFirst: true, cancellationToken)).FirstOrDefault()?.Sequence ?? 0;
        return ([.. tail.Where(message => message.Sequence > head)], head);
    }

    // A message that was sent again counts where it is first.
    private static IEnumerable<Message> Merge(IEnumerable<Message> stored, IEnumerable<Message> tail) =>
        stored.Concat(tail).GroupBy(static message => message.MessageId, StringComparer.Ordinal)
            .Select(static same => same.MinBy(static message => message.Sequence)!);
}
