using Chat.Log;
using Chat.Rooms;

namespace Chat.Storage;

/// <summary>
/// What is stored: messages, members with their receipts, ended sessions. The consumer writes, the servers read. Thread-safe. Every member fails with
/// <see cref="Narad.Kafka.StoreUnavailableException"/> while the storage does not answer.
/// </summary>
/// <remarks>
/// Writes are idempotent. Those of one room come in the order of the log, one batch after the other, and a reader sees no message without all before it.
/// </remarks>
internal interface IChatStorage
{
    /// <summary>What it is called in logs.</summary>
    string Name { get; }

    /// <summary>Prepares it.</summary>
    /// <param name="logId">Which log sequences come from, where that is known: see <see cref="LogPosition.Base"/>.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    Task StartAsync(string? logId, CancellationToken cancellationToken);

    /// <summary>Stores a batch of one partition, in its order. Of messages with the same room and id the first one counts.</summary>
    Task WriteAsync(IReadOnlyList<Message> messages, IReadOnlyList<(string RoomId, MemberChange Change)> changes, CancellationToken cancellationToken);

    /// <summary>Stores receipts and ended sessions.</summary>
    Task WriteAsync(IReadOnlyList<StateRecord> records, CancellationToken cancellationToken);

    /// <summary>Notes that a partition is stored up to an offset.</summary>
    Task WritePositionAsync(string topic, int partition, long next, CancellationToken cancellationToken);

    /// <summary>How far each partition of a topic is stored.</summary>
    Task<IReadOnlyDictionary<int, LogPosition>> PositionsAsync(string topic, CancellationToken cancellationToken);

    Task<StoredRoom> RoomAsync(string roomId, CancellationToken cancellationToken);

    /// <summary>The rooms that a user has joined.</summary>
    Task<IReadOnlyList<string>> RoomsOfAsync(string userId, CancellationToken cancellationToken);

    /// <summary>Messages above one sequence and below another, from either end.</summary>
    Task<IReadOnlyList<Message>> PageAsync(
        string roomId, long after, long before, int limit, bool newestFirst, CancellationToken cancellationToken);

    /// <summary>The messages of each user up to a sequence.</summary>
    Task<IReadOnlyDictionary<string, long>> CountByUserAsync(string roomId, long upTo, CancellationToken cancellationToken);

    /// <summary>Messages of others above one sequence, up to another.</summary>
    Task<long> CountAsync(string roomId, long after, long upTo, string exceptUserId, CancellationToken cancellationToken);

    /// <summary>The messages with these ids, of any room.</summary>
    Task<IReadOnlyList<Message>> FindAsync(IReadOnlyCollection<string> messageIds, CancellationToken cancellationToken);

    /// <summary>By user: sessions that began up to then are over.</summary>
    Task<IReadOnlyDictionary<string, DateTimeOffset>> SignedOutAsync(CancellationToken cancellationToken);
}

/// <summary>A room as it is stored.</summary>
internal sealed record StoredRoom(long FirstSequence, long Head, IReadOnlyList<Member> Members);

/// <summary>How far a partition is stored.</summary>
/// <param name="Next">The offset after the last one that is stored.</param>
/// <param name="Base">
/// What sequences begin with: 0, and more where a new log continues an older one's messages. An embedded broker forgets its log at exit.
/// </param>
internal sealed record LogPosition(long Next, long Base);
