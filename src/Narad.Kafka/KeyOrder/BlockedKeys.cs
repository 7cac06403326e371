using Narad.Kafka.Failures;

namespace Narad.Kafka.KeyOrder;

/// <summary>
/// Keeps the order of each key of one partition when messages fail. Knows which keys have messages in the retry partition, and lets only the first message
/// of a key be handled. Decides for every message of the source partition whether it is handled or waits behind them. Does no I/O of its own.
/// </summary>
/// <remarks>
/// Thread-safe: one lock. The poll thread reports what it read and finished; workers ask before they handle a message, and report forwards. There is one
/// instance for each assignment of a retry partition.
/// <code>
///   source partition:  DecideMessage ──free──▶ handled ──failed──┐
///                            └──blocked──▶ forwarded ◀───────────┘
///                                              │
///                                              ▼
///   retry partition:                        Awaited ──read──▶ Waiting ──first, due──▶ Started ──▶ Done ──▶ forgotten
///                                              ▲                 ▲                     │   │
///                                              └──failed again───┼─────────────────────┘   │
///                                                                └──one before it failed───┘
/// </code>
/// The retry partition stores this state. The next owner of the pair reads it from the committed offset to its end before it handles a message. A key's order
/// is the order of the original offsets. If a message has several records, the one with the latest attempt counts. A message that was forwarded once is not
/// handled from the source again. In some cases a finished record could be read again without one that was finished after it. Then a
/// <see cref="FinishedRecords"/> is written before the next message of the key is handled. So a redelivery after a crash begins at some message of a key and
/// continues from there in order. It never leaves out a message.
/// All this holds for records that a member of the group signed (<see cref="RetrySeal"/>). Any other record is handled in front of
/// those of its key, and has no effect on other messages.
/// </remarks>
internal sealed class BlockedKeys
{
    private const int MostAhead = 64;

    // How long a key is remembered after its last use: the previous owner, or a send without an answer, may still write a record of it.
    private static readonly long Remembered = (long)TimeSpan.FromMinutes(10).TotalMilliseconds;

    private readonly Lock _lock = new();
    private readonly Dictionary<byte[], BlockedKey> _keys = new(KeyBytesComparer.Instance);
    private readonly SortedDictionary<long, BlockedRecord> _byOffset = [];      // those that were read and are not finished
    private readonly PriorityQueue<BlockedKey, long> _timers = new();        // when a key's first record is due; what is in it may be out of date
    private readonly Queue<BlockedKey> _retired = new();
    private readonly string _writer;
    private int _waiting;
    private bool _open;
    private bool _closed;
    private bool _joined;
    private long _began = -1;           // the first message of the source partition in this assignment
    private bool _resumed;              // it is where the group had committed
    private long? _committed;           // known to be committed there
    private long _lowest;
    private long _entered = -1;         // the highest offset of the source partition that was asked for
    private long _now;                  // at the latest sweep
    private long _skipped;

    /// <summary>Creates one that knows of no key.</summary>
    /// <param name="writer">Names this assignment among all that ever were.</param>
    public BlockedKeys(string writer) => _writer = writer;

    /// <summary>The seal that signs and checks the records of the pair.</summary>
    public SealOfPair Seal { get; } = new();

    /// <summary>Whether it was logged that a record of a stranger claimed something. Poll thread only.</summary>
    public bool HasRefused { get; set; }

    /// <summary>Whether the retry partition was read to its end, so that all blocked keys are known. Any thread.</summary>
    public bool IsRecovered { get; private set; }

    /// <summary>Records that are not finished.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _byOffset.Count;
            }
        }
    }

    /// <summary>Records that wait.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _waiting;
            }
        }
    }

    /// <summary>The earliest due time among the first records of the keys, or an earlier time; <see cref="long.MaxValue"/> where there is none.</summary>
    public long NextDue
    {
        get
        {
            lock (_lock)
            {
                return _timers.TryPeek(out _, out var due) ? due : long.MaxValue;
            }
        }
    }

    /// <summary>Records of messages that were finished before; for tests.</summary>
    public int Duplicates
    {
        get
        {
            lock (_lock)
            {
                return _byOffset.Values.Count(static retry => retry.IsDuplicate || retry is { State: BlockedRecordState.Done, Later: not null });
            }
        }
    }

    /// <summary>
    /// Counts the messages of the source partition that were finished unhandled since the last call. A record of the group says that they were handled or
    /// forwarded before.
    /// </summary>
    public long TakeSkipped()
    {
        lock (_lock)
        {
            return (_skipped, _skipped = 0).Item1;
        }
    }

    /// <summary>The record at an offset of the retry partition; null where there is none of a key that is kept in order.</summary>
    public BlockedRecord? RecordAt(long offset)
    {
        lock (_lock)
        {
            return _byOffset.GetValueOrDefault(offset);
        }
    }

    /// <summary>Whether a record is a stranger's, or none of a key that is kept in order: then it stays one when it is written again.</summary>
    public bool IsStranger(long offset)
    {
        lock (_lock)
        {
            return !_byOffset.TryGetValue(offset, out var retry) || retry.IsStranger;
        }
    }

    /// <summary>The stamp that this assignment writes into a record of the key.</summary>
    public WriterStamp StampFor(byte[]? key)
    {
        lock (_lock)
        {
            // A finished record that is read again together with this one must not be handled again. Messages between the two may have been handled from the
            // source, which is not read again.
            FinishedRecords? finishedRecords = key is not null && _keys.TryGetValue(key, out var blockedKey) && blockedKey.FinishedOffset >= 0
                ? FinishedUpTo(blockedKey.FinishedOffset, blockedKey, finishing: null, deadLetterOthers: false) : null;
            return new WriterStamp(_writer, _committed, Seal.Seal, finishedRecords);
        }
    }

    // ── the pair ──────────────────────────────────────────────────────────────────────────────────────────────────────
    /// <summary>The retry partition was read to its end.</summary>
    public void Recovered()
    {
        lock (_lock)
        {
            IsRecovered = true;
        }
    }

    /// <summary>Sets whether records may be handled: both partitions are assigned, and no handler of an earlier assignment runs.</summary>
    public void Open(bool open)
    {
        lock (_lock)
        {
            if (_open == open)
            {
                return;
            }

            _open = open;
            if (open)
            {
                foreach (var key in _keys.Values)
                {
                    Reschedule(key);
                }
            }
        }
    }

    /// <summary>The retry partition is not ours any more.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            _open = false;
        }
    }

    /// <summary>Whether the source partition of the pair was ours since the retry partition is.</summary>
    public bool IsJoined
    {
        get
        {
            lock (_lock)
            {
                return _joined;
            }
        }
    }

    /// <summary>The source partition of the pair is ours too.</summary>
    /// <param name="isSought">
    /// Whether it begins at another offset than the committed one. A partition that another member had meanwhile begins at the committed offset. No member
    /// handles it without its retry partition, so the known records and their seal stay valid.
    /// </param>
    public void Join(bool isSought)
    {
        lock (_lock)
        {
            if (_joined && isSought)
            {
                OnSourceSeek();
            }
            else if (_joined)
            {
                _began = -1;
                _resumed = false;
                _committed = null;
            }

            _joined = true;
        }
    }

    /// <summary>The first message of the source partition arrived.</summary>
    /// <param name="offset">Its offset.</param>
    /// <param name="isResumed">Whether it is where the group had committed, not where a policy or somebody says.</param>
    /// <param name="end">The known end of the source partition. Records of messages behind it come from a deleted topic of the same name.</param>
    public void SourceBegan(long offset, bool isResumed, long end = long.MaxValue)
    {
        lock (_lock)
        {
            _began = offset;
            _resumed = isResumed;
            _committed = offset;
            foreach (var key in _keys.Values.Where(key => key.LastForwarded >= end))
            {
                key.ForgetProcessed();
            }
        }
    }

    /// <summary>The source partition is read from another offset: messages that were forwarded once are handled again on purpose.</summary>
    public void OnSourceSeek()
    {
        lock (_lock)
        {
            _began = -1;
            _resumed = false;
            _committed = null;
            Seal.Renew();
            foreach (var key in _keys.Values)
            {
                key.ForgetProcessed();
            }
        }
    }

    /// <summary>The broker has this offset of the source partition.</summary>
    public void SourceCommitted(long offset)
    {
        lock (_lock)
        {
            if (_began >= 0)
            {
                _committed = offset;
            }
        }
    }

    /// <summary>All records below this offset are finished, as far as is known.</summary>
    public void AllFinishedBelow(long offset)
    {
        lock (_lock)
        {
            _lowest = offset;
        }
    }

    // ── what is read ──────────────────────────────────────────────────────────────────────────────────────────────────
    /// <summary>A record was read.</summary>
    /// <returns>The sequence number that is finished by that: its own, or that of the record it replaces; null where there is none.</returns>
    public long? Read(byte[] key, in StoredRecord record, long now)
    {
        lock (_lock)
        {
            var isOurs = string.Equals(record.Writer, _writer, StringComparison.Ordinal);
            var isAnothers = record.Writer is not null && !isOurs;
            var blockedKey = KeyOf(key);
            if (isAnothers)
            {
                RememberLastForwarded(blockedKey, record.Origin, record.Timestamp, record.Committed);
            }

            if (blockedKey.Records.TryGetValue(record.Origin, out var retry))
            {
                return ReadAgain(blockedKey, retry, record, now);
            }

            retry = new BlockedRecord(blockedKey, record.Origin, record.Timestamp) { IsStranger = record.IsStranger, IsDuplicate =
                IsDuplicate(blockedKey, record, isAnothers) };
            blockedKey.Records.Add(record.Origin, retry);
            Take(retry, record, now);
            Reschedule(blockedKey);
            return null;
        }
    }

    /// <summary>A record was read that says which records of a key are finished.</summary>
    /// <returns>The sequence numbers that are finished by that.</returns>
    public List<long> ReadFinished(byte[] key, in FinishedRecords finishedRecords, long offset)
    {
        var finished = new List<long>();
        lock (_lock)
        {
            // Before the recovery ends, it comes from an earlier assignment. Afterwards this instance knows more than the record.
            if (IsRecovered || !_keys.TryGetValue(key, out var blockedKey))
            {
                return finished;
            }

            foreach (var retry in blockedKey.Records.Values.ToList())
            {
                // A stranger's record has no place in the order of the key, so a limit in that order does not finish it.
                if (retry.Offset <= finishedRecords.UpTo && retry.Origin < finishedRecords.Next && (!retry.IsStranger || finishedRecords.Next < 0))
                {
                    finished.Add(retry.Sequence);
                    Forget(retry);
                    blockedKey.FinishedOrigin = Math.Max(blockedKey.FinishedOrigin, retry.Origin);
                }
                else if (finishedRecords.DeadLetterOthers && retry.Offset < offset)
                {
                    retry.IsToBeDeadLettered = true;
                }
            }
        }

        return finished;
    }

    /// <summary>A key checkpoint of an earlier assignment was read: messages of the key up to its origin were handled or forwarded.</summary>
    public void ReadKeyCheckpoint(byte[] key, long origin, long timestamp, string? writer, long? committed)
    {
        lock (_lock)
        {
            if (writer is not null && !string.Equals(writer, _writer, StringComparison.Ordinal))
            {
                RememberLastForwarded(KeyOf(key), origin, timestamp, committed);
            }
        }
    }

    /// <summary>A record is not in the topic any more.</summary>
    public void OnRecordLost(long offset)
    {
        lock (_lock)
        {
            if (_byOffset.TryGetValue(offset, out var retry))
            {
                Forget(retry);
                Reschedule(retry.Key);
            }
        }
    }

    /// <summary>The known records are no longer at their offsets: the retry topic was truncated or created again.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            foreach (var retry in _byOffset.Values.ToList())
            {
                Forget(retry);
            }
        }
    }

    // ── what is to be read again ──────────────────────────────────────────────────────────────────────────────────────
    /// <summary>Takes due records: of each key the first ones, as long as their order in the topic is the order of the key.</summary>
    public List<DelayedRetry> TakeDue(long now, int most)
    {
        var due = new List<DelayedRetry>();
        lock (_lock)
        {
            while (due.Count < most && _timers.TryPeek(out var key, out var time) && time <= now)
            {
                _timers.Dequeue();
                if (!MayStart(key))
                {
                    continue;
                }

                var before = -1L;
                foreach (var retry in key.Records.Values)
                {
                    if (retry.State is BlockedRecordState.Done)
                    {
                        continue;
                    }

                    if (retry is not { State: BlockedRecordState.Waiting, IsReadToLatest: true } || retry.TurnAt > now || retry.Offset < before
                        || key.Started >= MostAhead)
                    {
                        break;
                    }

                    before = retry.Offset;
                    retry.State = BlockedRecordState.Started;
                    key.Started++;
                    _waiting--;
                    due.Add(new DelayedRetry(retry.Offset, retry.Sequence, retry.Due, retry.RepublishAt));
                }

                if (key.Started == 0)
                {
                    Reschedule(key);   // its first one is due later than it was
                }
            }
        }

        return due;
    }

    /// <summary>Takes at most <paramref name="most"/> first records that may be republished. Stops at the first one that may not.</summary>
    public List<DelayedRetry> TakeFirst(int most, long now)
    {
        var taken = new List<DelayedRetry>();
        lock (_lock)
        {
            foreach (var retry in _byOffset.Values)
            {
                if (taken.Count == most || retry.RepublishAt > now
                    || retry is not { State: BlockedRecordState.Waiting, IsBeingWritten: false, IsDuplicate: false })
                {
                    break;
                }

                retry.State = BlockedRecordState.Awaited;
                retry.IsBeingWritten = true;
                _waiting--;
                taken.Add(new DelayedRetry(retry.Offset, retry.Sequence, retry.Due, retry.RepublishAt));
            }
        }

        return taken;
    }

    /// <summary>The pair is revoked: finishes duplicates without handling them.</summary>
    /// <returns>The sequence numbers of the finished records.</returns>
    public List<long> FinishDuplicates()
    {
        var finished = new List<long>();
        lock (_lock)
        {
            foreach (var retry in _byOffset.Values.Where(static retry => retry.IsDuplicate).ToList())
            {
                finished.Add(retry.Sequence);
                Forget(retry);
                retry.Key.FinishedOffset = Math.Max(retry.Key.FinishedOffset, retry.LastOffset);
            }
        }

        return finished;
    }

    /// <summary>
    /// The pair is revoked: returns the key checkpoints to write for the next owner, who reads the retry partition from its committed offset. A key checkpoint
    /// says which records of a key behind that offset are finished. If the source partition will be read again, it also says how far the key's messages were
    /// handled or forwarded: the records that said so may be in front of the committed offset.
    /// </summary>
    /// <param name="sourceOffset">Where the source partition will be read from; null where nothing of it was finished.</param>
    public List<KeyCheckpoint> TakeKeyCheckpoints(long? sourceOffset)
    {
        var checkpoints = new List<KeyCheckpoint>();
        lock (_lock)
        {
            foreach (var key in _keys.Values)
            {
                var holds = key.LastForwarded >= 0 && (_began < 0 || key.LastForwardedCommitted <= _began);
                var (origin, timestamp) = holds && key.LastForwarded > key.ProcessedUpTo ? (key.LastForwarded, key.LastForwardedTimestamp)
                    : (key.ProcessedUpTo, key.ProcessedTimestamp);
                var committed = !key.HandledEarlierMessage && origin >= (sourceOffset ?? 0) ? _committed ?? (holds ? key.LastForwardedCommitted : null) : null;
                var isRead = key.FinishedOffset >= _lowest;
                if (isRead || (committed is not null && key.Records.Count == 0))
                {
                    var finishedRecords = FinishedUpTo(isRead ? key.FinishedOffset : -1, key, finishing: null, deadLetterOthers: false);
                    var stamp = new WriterStamp(_writer, committed, Seal.Seal, finishedRecords);
                    checkpoints.Add(new KeyCheckpoint(key.Key, Math.Max(0, origin), timestamp, stamp));
                }
            }
        }

        return checkpoints;
    }

    /// <summary>Whether there is a record of a key that is kept in order.</summary>
    public bool Has(long offset)
    {
        lock (_lock)
        {
            return _byOffset.ContainsKey(offset);
        }
    }

    /// <summary>A record that was taken is not due after all.</summary>
    public void PutBack(long offset, long due)
    {
        lock (_lock)
        {
            if (_byOffset.TryGetValue(offset, out var retry) && retry.State is BlockedRecordState.Started)
            {
                retry.Due = due;
                Wait(retry);
            }
        }
    }

    // ── a message of the source partition ─────────────────────────────────────────────────────────────────────────────
    /// <summary>
    /// Decides about a message of the source partition. Called by the worker that has its key queue. If the message must wait behind others, its record is
    /// expected from now on.
    /// </summary>
    public KeyOrderDecision DecideMessage(byte[] key, long origin, long timestamp)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return KeyOrderDecision.Wait;   // nothing is begun until the pair is whole again
            }

            _entered = Math.Max(_entered, origin);
            var blockedKey = KeyOf(key);
            if (_resumed && origin <= blockedKey.LastForwarded && blockedKey.LastForwardedCommitted <= _began)
            {
                _skipped++;
                Retire(blockedKey);
                return KeyOrderDecision.Finish;
            }

            if (blockedKey.Records.Count == 0)
            {
                blockedKey.HandledEarlierMessage |= origin <= blockedKey.ProcessedUpTo;
                blockedKey.Running = origin;
                return KeyOrderDecision.Handle;
            }

            if (blockedKey.Records.TryGetValue(origin, out var retry) && retry.Timestamp == timestamp)
            {
                if (retry is { IsDuplicate: true, State: not BlockedRecordState.Waiting })
                {
                    return KeyOrderDecision.Wait;
                }

                retry.IsDuplicate = false;   // it is not handled yet
                Reschedule(blockedKey);
                return KeyOrderDecision.Finish;
            }

            if (retry is not null || origin > blockedKey.Records.GetKeyAtIndex(0))
            {
                return TryExpectRecord(blockedKey, origin, timestamp, attempt: 0) ? KeyOrderDecision.Forward : KeyOrderDecision.Wait;
            }

            // A redelivered message in front of all blocked ones. It must not run beside one of them.
            if (blockedKey.Started > 0 || blockedKey.Records.GetValueAtIndex(0).State is BlockedRecordState.Done)
            {
                return KeyOrderDecision.Wait;
            }

            blockedKey.HandledEarlierMessage = true;
            blockedKey.Running = origin;
            return KeyOrderDecision.Handle;
        }
    }

    /// <summary>A message of the source partition that failed is about to be forwarded.</summary>
    /// <returns>Whether it may; else it is tried again a little later.</returns>
    public bool TryBeginForward(byte[] key, long origin, long timestamp, int attempt)
    {
        lock (_lock)
        {
            return TryExpectRecord(KeyOf(key), origin, timestamp, attempt);
        }
    }

    /// <summary>A record of a message was written, and will be read at this offset.</summary>
    public void OnForwarded(byte[] key, long origin, long offset)
    {
        lock (_lock)
        {
            if (_keys.TryGetValue(key, out var blockedKey) && blockedKey.Records.TryGetValue(origin, out var retry))
            {
                retry.IsBeingWritten = false;
                retry.WrittenAt = Math.Max(retry.WrittenAt, offset);
                Reschedule(blockedKey);
            }
        }
    }

    /// <summary>Its record cannot be written: it is too large.</summary>
    public void CancelForward(byte[] key, long origin)
    {
        lock (_lock)
        {
            if (_keys.TryGetValue(key, out var blockedKey) && blockedKey.Records.TryGetValue(origin, out var retry) && retry.State is BlockedRecordState.Awaited
                && retry.Offset < 0)
            {
                blockedKey.Records.Remove(origin);
            }
        }
    }

    /// <summary>A message of the source partition is finished. Poll thread: until then nothing of its key is handled from the retry topic.</summary>
    public void OnSourceFinished(byte[] key, long origin)
    {
        lock (_lock)
        {
            if (_keys.TryGetValue(key, out var blockedKey) && blockedKey.Running == origin)
            {
                blockedKey.Running = -1;
                Reschedule(blockedKey);
            }
        }
    }

    // ── a record ────────────────────────────────────────────────────────────────────────────────────────────────────────
    /// <summary>Decides about a record that is in its key queue. Called by a worker.</summary>
    /// <param name="offset">Where it is in the retry topic.</param>
    /// <param name="retry">The record; null where it is none of a key that is kept in order.</param>
    public KeyOrderDecision DecideRecord(long offset, out BlockedRecord? retry)
    {
        lock (_lock)
        {
            if (!_byOffset.TryGetValue(offset, out retry))
            {
                return KeyOrderDecision.Handle;
            }

            if (retry.State is not BlockedRecordState.Started)
            {
                return KeyOrderDecision.Finish;   // another record of it counts
            }

            if (!_open || retry.Key.Running >= 0 || !ReferenceEquals(FirstOf(retry.Key), retry))
            {
                Wait(retry);
                return KeyOrderDecision.PutBack;
            }

            return retry.IsDuplicate ? KeyOrderDecision.Finish : retry.IsToBeDeadLettered ? KeyOrderDecision.DeadLetter : KeyOrderDecision.Handle;
        }
    }

    /// <summary>A record failed again and is about to be forwarded once more.</summary>
    public void BeginForward(BlockedRecord retry, int attempt)
    {
        lock (_lock)
        {
            if (retry.IsStranger || (retry.State is BlockedRecordState.Awaited && retry.Attempt >= attempt))
            {
                return;   // it comes again as another one, or is tried again
            }

            Stop(retry);
            retry.Attempt = attempt;
            retry.State = BlockedRecordState.Awaited;
            retry.IsBeingWritten = true;
            if (retry.Later is { } later && later.Attempt >= attempt)
            {
                // It was written before, by a send without an answer.
                retry.Later = null;
                Take(retry, later, later.Due);
                Reschedule(retry.Key);
            }
        }
    }

    /// <summary>It is too large to be forwarded once more.</summary>
    public void CancelForward(BlockedRecord retry)
    {
        lock (_lock)
        {
            if (retry.State is BlockedRecordState.Awaited)
            {
                retry.State = BlockedRecordState.Started;
                retry.IsBeingWritten = false;
                retry.Key.Started++;
            }
        }
    }

    /// <summary>A record is handled: returns the <see cref="FinishedRecords"/> to write before that counts; null where none is needed.</summary>
    public FinishedRecords? PrepareFinish(BlockedRecord retry)
    {
        lock (_lock)
        {
            var key = retry.Key;
            var finished = Math.Max(key.FinishedOffset, retry.LastOffset);
            var next = FirstOf(key, retry);

            // Otherwise a record that is read again after a crash is read with all later ones of the key. The next record is behind this one, or the offset
            // of the last one is committed with all that is handled after it.
            var isNeeded = retry.IsDuplicate || (next is null ? finished > _lowest : next.State is not BlockedRecordState.Awaited && finished > next.Offset);
            return isNeeded ? FinishedUpTo(finished, key, retry, deadLetterOthers: false) : null;
        }
    }

    /// <summary>
    /// Marks the other records of a key to be dead-lettered too; returns the <see cref="FinishedRecords"/> to write first, null where there is no other record.
    /// </summary>
    public FinishedRecords? DeadLetterKey(BlockedRecord retry)
    {
        lock (_lock)
        {
            if (FirstOf(retry.Key, retry) is null)
            {
                return null;
            }

            foreach (var other in retry.Key.Records.Values)
            {
                other.IsToBeDeadLettered |= !ReferenceEquals(other, retry);
            }

            return FinishedUpTo(Math.Max(retry.Key.FinishedOffset, retry.LastOffset), retry.Key, retry, deadLetterOthers: true);
        }
    }

    /// <summary>
    /// A record is finished, and its <see cref="FinishedRecords"/>, if needed, are written. The next record of the key may be handled. Messages of the key from
    /// the source topic wait until the poll thread knows.
    /// </summary>
    public void Finish(BlockedRecord retry, FinishedRecords? written)
    {
        lock (_lock)
        {
            Stop(retry);
            retry.State = BlockedRecordState.Done;
            var key = retry.Key;
            var finished = Math.Max(key.FinishedOffset, retry.LastOffset);
            key.FinishedOffset = written is { } record && finished <= record.UpTo ? -1 : finished;
            key.FinishedOrigin = Math.Max(key.FinishedOrigin, retry.Origin);
            if (!retry.IsStranger)
            {
                key.AdvanceProcessed(retry.Origin, retry.Timestamp);
            }

            Reschedule(key);
        }
    }

    /// <summary>A record came back to the poll thread: it is finished, or another record of its message was written.</summary>
    public void OnRecordReturned(long offset)
    {
        lock (_lock)
        {
            if (!_byOffset.TryGetValue(offset, out var retry))
            {
                return;
            }

            if (retry is { State: BlockedRecordState.Awaited, IsStranger: false })
            {
                _byOffset.Remove(offset);   // the record that was written instead is to be read
                return;
            }

            // Done; or skipped by name.
            var (key, later) = (retry.Key, retry.Later);
            Forget(retry);
            if (later is { } record)
            {
                var duplicate = new BlockedRecord(key, retry.Origin, retry.Timestamp) { IsDuplicate = true };
                key.Records.Add(retry.Origin, duplicate);
                Take(duplicate, record, record.Due);
            }

            Reschedule(key);
        }
    }

    /// <summary>Forgets keys that were not used for <see cref="Remembered"/>. Also sets the current time.</summary>
    public void Sweep(long now)
    {
        lock (_lock)
        {
            _now = now;
            for (var looks = _retired.Count; looks > 0 && _retired.TryPeek(out var key) && key.RetiredAt + Remembered <= now; looks--)
            {
                _retired.Dequeue();
                key.RetiredAt = null;
                if (key is { Records.Count: 0, Running: < 0 })
                {
                    if (key.FinishedOffset <= _lowest && key.LastForwarded <= _entered
                        && Math.Max(key.LastForwarded, key.ProcessedUpTo) < (_committed ?? long.MaxValue))
                    {
                        _keys.Remove(key.Key);
                    }
                    else
                    {
                        Retire(key);
                    }
                }
            }
        }
    }

    private BlockedKey KeyOf(byte[] key)
    {
        if (!_keys.TryGetValue(key, out var blockedKey))
        {
            blockedKey = new BlockedKey(key);
            _keys.Add(key, blockedKey);
        }

        return blockedKey;
    }

    private static BlockedRecord? FirstOf(BlockedKey key, BlockedRecord? but = null)
    {
        foreach (var other in key.Records.Values)
        {
            if (other.State is not BlockedRecordState.Done && !ReferenceEquals(other, but))
            {
                return other;
            }
        }

        return null;
    }

    // Whether the message was finished here. After the recovery, a record of an earlier assignment comes from a member that does not know yet that it lost the
    // partition. Its message was forwarded before, if the source was committed behind it, or this member has it too. A send without an answer may also write a
    // record twice.
    private bool IsDuplicate(BlockedKey blockedKey, in StoredRecord record, bool isAnothers) => IsRecovered
        && record is { Writer: not null, IsStranger: false }
        && (record.Origin <= blockedKey.FinishedOrigin || (isAnothers && _began >= 0 && (record.Origin >= _began ? record.Origin <= _entered : _resumed)));

    // The records up to the offset, in front of the first record of the key that is not finished.
    private static FinishedRecords FinishedUpTo(long offset, BlockedKey key, BlockedRecord? finishing, bool deadLetterOthers)
    {
        foreach (var retry in key.Records.Values)
        {
            if (retry.State is not BlockedRecordState.Done && !ReferenceEquals(retry, finishing) && retry.Offset >= 0 && retry.Offset <= offset)
            {
                return new FinishedRecords(offset, retry.Origin, deadLetterOthers);
            }
        }

        return new FinishedRecords(offset, long.MaxValue, deadLetterOthers);
    }

    private void RememberLastForwarded(BlockedKey blockedKey, long origin, long timestamp, long? sourceCommitted)
    {
        if (!IsRecovered && sourceCommitted is { } committed && origin >= blockedKey.LastForwarded)
        {
            blockedKey.LastForwarded = origin;
            blockedKey.LastForwardedCommitted = committed;
            blockedKey.LastForwardedTimestamp = timestamp;
        }
    }

    private long? ReadAgain(BlockedKey blockedKey, BlockedRecord retry, in StoredRecord record, long now)
    {
        retry.Touch(record.Offset);
        switch (retry.State)
        {
            case BlockedRecordState.Awaited when record.Attempt >= retry.Attempt:
                Take(retry, record, now);
                Reschedule(blockedKey);
                return null;

            case BlockedRecordState.Waiting when record.Attempt >= retry.Attempt:
                var replaced = retry.Sequence;
                _waiting--;
                Take(retry, record, now);
                Reschedule(blockedKey);
                return replaced;

            case BlockedRecordState.Started when record.Attempt > retry.Attempt:
            case BlockedRecordState.Done:
                var other = retry.Later?.Sequence;
                retry.Later = record;
                return other;

            default:
                Reschedule(blockedKey);   // it may be what was still to be read
                return record.Sequence;
        }
    }

    private void Take(BlockedRecord retry, in StoredRecord record, long now)
    {
        _byOffset.Remove(retry.Offset);
        retry.Read(record, Math.Min(record.Due, now) + (Math.Max(0, record.Due - now) / 2));
        _byOffset[record.Offset] = retry;
        _waiting++;
    }

    // False: an older one with the same place is under way, or who comes next would not believe the record.
    private bool TryExpectRecord(BlockedKey blockedKey, long origin, long timestamp, int attempt)
    {
        if (!Seal.IsReady)
        {
            return false;
        }

        if (!blockedKey.Records.TryGetValue(origin, out var retry))
        {
            blockedKey.Records.Add(origin, new BlockedRecord(
                blockedKey, origin, timestamp) { Attempt = attempt, State = BlockedRecordState.Awaited, IsBeingWritten = true });
            return true;
        }

        return retry.Timestamp == timestamp && retry.State is BlockedRecordState.Awaited;
    }

    private void Stop(BlockedRecord retry)
    {
        if (retry.State is BlockedRecordState.Started)
        {
            retry.Key.Started--;
        }
    }

    private void Wait(BlockedRecord retry)
    {
        Stop(retry);
        retry.State = BlockedRecordState.Waiting;
        _waiting++;
        Reschedule(retry.Key);
    }

    private void Forget(BlockedRecord retry)
    {
        Stop(retry);
        _waiting -= retry.State is BlockedRecordState.Waiting ? 1 : 0;
        retry.Key.Records.Remove(retry.Origin);
        _byOffset.Remove(retry.Offset);
    }

    private bool MayStart(BlockedKey key) => _open && key.Started == 0 && key.Running < 0;

    // Notes when the key's first record is due, or that the key is not needed any more.
    private void Reschedule(BlockedKey key)
    {
        if (MayStart(key) && FirstOf(key) is { State: BlockedRecordState.Waiting, IsReadToLatest: true } first)
        {
            _timers.Enqueue(key, first.TurnAt);
        }
        else if (key is { Records.Count: 0, Running: < 0 })
        {
            Retire(key);
        }
    }

    private void Retire(BlockedKey key)
    {
        if (key is { Records.Count: 0, Running: < 0, FinishedOffset: < 0, FinishedOrigin: < 0, LastForwarded: < 0 })
        {
            _keys.Remove(key.Key);
        }
        else if (key is { Records.Count: 0, Running: < 0, RetiredAt: null })
        {
            key.RetiredAt = _now;
            _retired.Enqueue(key);
        }
    }
}
