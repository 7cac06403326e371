using Chat.Log;

namespace Chat.Rooms;

/// <summary>
/// A room as this instance knows it: from its own reading of the log, and, once <see cref="Load"/> was called, from the storage. Thread-safe.
/// </summary>
/// <remarks>
/// A message's sequence is its position in the log of the room. The log has other records and other rooms in between, so sequences have gaps; each message
/// therefore says which one is before it. The tail has all messages that this instance has read from the log and that may not be stored yet.
/// </remarks>
internal sealed class Room(string roomId)
{
    /// <summary>The message before is not known here.</summary>
    public const long Unknown = -1;

    // Stored messages that stay, so that a message that is sent again is recognised.
    private const int MostStoredInTail = 500;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Member> _members = new(StringComparer.Ordinal);
    private readonly List<Message> _tail = [];
    private readonly Dictionary<string, Message> _byId = new(StringComparer.Ordinal);   // the tail, by message id
    private readonly List<(long Sequence, TaskCompletionSource Reached)> _waiting = [];
    private long? _lastRead;
    private long _lastStored;
    private long _firstStored;
    private long _position;

    public string RoomId => roomId;

    /// <summary>The partition of the log that the room is in; null until a record of it was read.</summary>
    public int? Partition { get; private set; }

    /// <summary>Whether the storage was asked. Until then membership is not known here.</summary>
    public bool IsLoaded { get; private set; }

    /// <summary>The newest message's sequence; 0: there is none.</summary>
    public long Head
    {
        get
        {
            lock (_lock)
            {
                return Math.Max(_lastRead ?? 0, _lastStored);
            }
        }
    }

    /// <summary>The oldest message's sequence; 0: there is none.</summary>
    public long FirstSequence
    {
        get
        {
            lock (_lock)
            {
                return _firstStored != 0 ? _firstStored : _tail.Count > 0 ? _tail[0].Sequence : 0;
            }
        }
    }

    /// <summary>All who are or were members.</summary>
    public IReadOnlyList<Member> Members
    {
        get
        {
            lock (_lock)
            {
                return [.. _members.Values];
            }
        }
    }

    public Receipts Receipts => new(Members);

    /// <summary>Who joined first, and may remove others.</summary>
    public string? OwnerId => Members.Where(static member => member.FirstJoinedAt > 0).MinBy(static member => member.FirstJoinedAt)?.UserId;

    public Member this[string userId]
    {
        get
        {
            lock (_lock)
            {
                return _members.GetValueOrDefault(userId) ?? Member.None(userId);
            }
        }
    }

    /// <summary>Adds what is stored to what is known.</summary>
    public void Load(long firstSequence, long head, IEnumerable<Member> members)
    {
        lock (_lock)
        {
            _firstStored = firstSequence;
            _lastStored = Math.Max(_lastStored, head);
            foreach (var member in members)
            {
                _members[member.UserId] = this[member.UserId].With(member);
            }

            IsLoaded = true;
        }
    }

    /// <summary>The next record of the log.</summary>
    /// <returns>A message that is new here, with the sequence of the one before it; null for other records, and for a message that was sent again.</returns>
    public (Message Message, long Previous)? Read(ChatRecord record, int partition, long sequence)
    {
        lock (_lock)
        {
            Partition = partition;
            if (sequence <= _position)
            {
                return null;   // read again
            }

            _position = sequence;
            (Message, long)? result = null;
            if (record.Kind is not RecordKind.Message)
            {
                _members[record.UserId] = this[record.UserId].With(record.ToChange(sequence));
            }
            else if (record.ToMessage(sequence) is var message && _byId.TryAdd(record.MessageId, message))
            {
                var previous = _lastRead ?? (IsLoaded && _lastStored < sequence ? _lastStored : Unknown);
                _tail.Add(message);
                _lastRead = sequence;
                result = (message, previous);
            }

            foreach (var (_, reached) in _waiting.FindAll(one => one.Sequence <= sequence))
            {
                reached.TrySetResult();
            }

            _waiting.RemoveAll(one => one.Sequence <= sequence);
            return result;
        }
    }

    /// <summary>A receipt.</summary>
    /// <returns>The member's receipts now, if they changed; else null.</returns>
    public Member? Read(Receipt receipt)
    {
        lock (_lock)
        {
            var known = this[receipt.UserId];
            var changed = known.With(receipt);
            _members[receipt.UserId] = changed;
            return changed == known ? null : changed;
        }
    }

    /// <summary>Completes when this instance has read the log of the room up to there.</summary>
    public Task UntilReadAsync(long sequence, TimeSpan timeout, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (sequence <= _position)
            {
                return Task.CompletedTask;
            }

            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((sequence, reached));
            return reached.Task.WaitAsync(timeout, cancellationToken);
        }
    }

    /// <summary>The sequence of a message that was read lately; null if it is not known.</summary>
    public long? Find(string messageId, string userId)
    {
        lock (_lock)
        {
            return _byId.TryGetValue(messageId, out var message) && message.UserId == userId ? message.Sequence : null;
        }
    }

    /// <summary>What was read lately, oldest first: everything that is not stored, and some of what is.</summary>
    public IReadOnlyList<Message> Tail()
    {
        lock (_lock)
        {
            return [.. _tail];
        }
    }

    /// <summary>Forgets old messages that are stored.</summary>
    /// <param name="sequence">What is up to there is stored.</param>
    public void Trim(long sequence)
    {
        lock (_lock)
        {
            var count = Math.Min(_tail.Count - MostStoredInTail, _tail.FindIndex(one => one.Sequence > sequence) is var first and >= 0 ? first : _tail.Count);
            if (count <= 0)
            {
                return;
            }

            // The first one in the tail is the first of all only as long as nothing is stored.
            _firstStored = _firstStored == 0 && IsLoaded ? _tail[0].Sequence : _firstStored;
            foreach (var message in _tail.GetRange(0, count))
            {
                _byId.Remove(message.MessageId);
            }

            _tail.RemoveRange(0, count);
        }
    }
}
