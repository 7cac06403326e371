using Chat.Log;
using Chat.Rooms;

namespace Chat.Storage;

/// <summary>The storage of the hosts in this process, lost at its exit.</summary>
internal sealed class InMemoryChatStorage : IChatStorage
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, StoredMessages> _rooms = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> _signedOut = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Topic, int Partition), long> _positions = [];

    public string Name => "memory";

    public Task StartAsync(string? logId, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task WriteAsync(
        IReadOnlyList<Message> messages, IReadOnlyList<(string RoomId, MemberChange Change)> changes, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (var message in messages)
            {
                var room = RoomOf(message.RoomId);
                if (room.Ids.Add(message.MessageId))
                {
                    room.Messages.Add(message.Sequence, message);
                }
            }

            foreach (var (roomId, change) in changes)
            {
                var members = RoomOf(roomId).Members;
                members[change.UserId] = (members.GetValueOrDefault(change.UserId) ?? Member.None(change.UserId)).With(change);
            }
        }

        return Task.CompletedTask;
    }

    public Task WriteAsync(IReadOnlyList<StateRecord> records, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (var record in records)
            {
                if (record.Kind is StateKind.SignedOut)
                {
                    _signedOut[record.UserId] = _signedOut.TryGetValue(record.UserId, out var known) && known > record.Time ? known : record.Time;
                    continue;
                }

                var members = RoomOf(record.RoomId!).Members;
                members[record.UserId] = (members.GetValueOrDefault(record.UserId) ?? Member.None(record.UserId))
                    .With(new Receipt(record.UserId, record.DeliveredUpTo, record.ReadUpTo));
            }
        }

        return Task.CompletedTask;
    }

    public Task WritePositionAsync(string topic, int partition, long next, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _positions[(topic, partition)] = Math.Max(next, _positions.GetValueOrDefault((topic, partition)));
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyDictionary<int, LogPosition>> PositionsAsync(string topic, CancellationToken cancellationToken) =>
        Ask<IReadOnlyDictionary<int, LogPosition>>(() => _positions.Where(one => one.Key.Topic == topic)
            .ToDictionary(static one => one.Key.Partition, static one => new LogPosition(one.Value, Base: 0)));

    public Task<StoredRoom> RoomAsync(string roomId, CancellationToken cancellationToken) => Ask(() =>
    {
        var room = RoomOf(roomId);
        return new StoredRoom(room.Messages.Keys.FirstOrDefault(), room.Messages.Keys.LastOrDefault(), [.. room.Members.Values]);
    });

    public Task<IReadOnlyList<string>> RoomsOfAsync(string userId, CancellationToken cancellationToken) => Ask<IReadOnlyList<string>>(
        () => [.. _rooms.Where(room => room.Value.Members.GetValueOrDefault(userId) is { IsMember: true }).Select(static room => room.Key)]);

    public Task<IReadOnlyList<Message>> PageAsync(
        string roomId, long after, long before, int limit, bool newestFirst, CancellationToken cancellationToken) => Ask<IReadOnlyList<Message>>(() =>
    {
        var messages = RoomOf(roomId).Messages;
        var (first, last) = (IndexOf(messages.Keys, after + 1), IndexOf(messages.Keys, before) - 1);
        return newestFirst
            ? [.. Enumerable.Range(0, Math.Clamp(last - first + 1, 0, limit)).Select(i => messages.Values[last - i])]
            : [.. Enumerable.Range(0, Math.Clamp(last - first + 1, 0, limit)).Select(i => messages.Values[first + i])];
    });

    public Task<IReadOnlyDictionary<string, long>> CountByUserAsync(string roomId, long upTo, CancellationToken cancellationToken) =>
        Ask<IReadOnlyDictionary<string, long>>(() => RoomOf(roomId).Messages.Values.Where(message => message.Sequence <= upTo)
            .GroupBy(static message => message.UserId, StringComparer.Ordinal)
            .ToDictionary(static group => group.Key, static group => group.LongCount(), StringComparer.Ordinal));

    public Task<long> CountAsync(string roomId, long after, long upTo, string exceptUserId, CancellationToken cancellationToken) => Ask(() =>
    {
        var messages = RoomOf(roomId).Messages;
        var count = 0L;
        for (var i = IndexOf(messages.Keys, after + 1); i < messages.Count && messages.Keys[i] <= upTo; i++)
        {
            count += messages.Values[i].UserId == exceptUserId ? 0 : 1;
        }

        return count;
    });

    public Task<IReadOnlyList<Message>> FindAsync(IReadOnlyCollection<string> messageIds, CancellationToken cancellationToken) =>
        Ask<IReadOnlyList<Message>>(() => [.. _rooms.Values.Where(room => room.Ids.Overlaps(messageIds))
            .SelectMany(room => room.Messages.Values.Where(message => messageIds.Contains(message.MessageId)))]);

    public Task<IReadOnlyDictionary<string, DateTimeOffset>> SignedOutAsync(CancellationToken cancellationToken) =>
        Ask<IReadOnlyDictionary<string, DateTimeOffset>>(() => new Dictionary<string, DateTimeOffset>(_signedOut, StringComparer.Ordinal));

    private Task<T> Ask<T>(Func<T> question)
    {
        lock (_lock)
        {
            return Task.FromResult(question());
        }
    }

    private StoredMessages RoomOf(string roomId)
    {
        if (!_rooms.TryGetValue(roomId, out var room))
        {
            _rooms.Add(roomId, room = new StoredMessages());
        }

        return room;
    }

    // The first index whose key is not below the value.
    private static int IndexOf(IList<long> keys, long value)
    {
        var (low, high) = (0, keys.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = keys[middle] < value ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private sealed class StoredMessages
    {
        public SortedList<long, Message> Messages { get; } = [];

        public HashSet<string> Ids { get; } = new(StringComparer.Ordinal);

        public Dictionary<string, Member> Members { get; } = new(StringComparer.Ordinal);
    }
}
