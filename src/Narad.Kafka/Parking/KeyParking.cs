using Narad.Kafka.Failures;

namespace Narad.Kafka.Parking;

/// <summary>
/// Keeps the order of each key of one partition through its failures (S26): knows which keys have messages in the retry partition, lets one of them be
/// handled at a time, the first one, and says of every message of the source partition whether it is handled or waits behind those. It reads and writes
/// nothing by itself.
/// </summary>
/// <remarks>
/// Thread-safe: one lock; the poll thread reads and finishes, workers begin and depart. One instance is one assignment of a retry partition.
/// <code>
///   source partition:  Enter ──free──▶ handled ──failed──┐
///                        └──parked──▶ copied ────────────┤
///                                                        ▼
///   retry partition:                 Awaited ──read──▶ Waiting ──first, due──▶ Started ──▶ Done ──▶ forgotten
///                                       ▲                  ▲                    │  │
///                                       └───failed again───┼────────────────────┘  └── in front of it one failed: put back
/// </code>
/// The retry partition is the memory: whoever gets the pair next reads it from the committed offset to its end before anything is handled. A key's order
/// is that of the original offsets, of several copies of a message the one for the latest attempt counts, and what was copied once is not handled from the
/// source again. Where a finished copy could be read again without one that was finished after it, a <see cref="KeyRelease"/> is written before the next
/// message of the key is handled. So a repetition, after a crash, goes back to some message of a key and on from there in order, and never leaves one out.
/// All this is believed of records that a member of the group signed (<see cref="RetrySeal"/>): any other one is handled in front of its key's, and says
/// nothing of other messages.
/// </remarks>
internal sealed class KeyParking
{
    private const int MostAhead = 64;

    // So long after a key was last used a copy of its may still be written by who had the partition before, or by a send without an answer.
    private static readonly long Remembered = (long)TimeSpan.FromMinutes(10).TotalMilliseconds;

    private readonly Lock _gate = new();
    private readonly Dictionary<byte[], ParkedKey> _keys = new(KeyBytesComparer.Instance);
    private readonly SortedDictionary<long, ParkedCopy> _byOffset = [];      // those that were read and are not finished
    private readonly PriorityQueue<ParkedKey, long> _timers = new();        // when a key's first copy is due; what is in it may be out of date
    private readonly Queue<ParkedKey> _retired = new();
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
    public KeyParking(string writer) => _writer = writer;

    /// <summary>What its records are signed and checked with.</summary>
    public SealOfPair Seal { get; } = new();

    /// <summary>Whether it was logged that a record of a stranger claimed something. Poll thread only.</summary>
    public bool HasRefused { get; set; }

    /// <summary>Whether the retry partition was read to its end, so that all parked keys are known. Any thread.</summary>
    public bool IsRecovered { get; private set; }

    /// <summary>Copies that are not finished.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _byOffset.Count;
            }
        }
    }

    /// <summary>Copies that wait.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _waiting;
            }
        }
    }

    /// <summary>When the first of those that are at their turn is due, at the latest; <see cref="long.MaxValue"/> where none is.</summary>
    public long NextDue
    {
        get
        {
            lock (_gate)
            {
                return _timers.TryPeek(out _, out var due) ? due : long.MaxValue;
            }
        }
    }

    /// <summary>Copies of messages that were finished before; for tests.</summary>
    public int Repeats
    {
        get
        {
            lock (_gate)
            {
                return _byOffset.Values.Count(static copy => copy.IsRepeat || copy is { State: ParkedState.Done, Later: not null });
            }
        }
    }

    /// <summary>
    /// How many messages of the source partition were finished unhandled since the last call, because a record of the group says that they were handled or
    /// copied before.
    /// </summary>
    public long TakeSkipped()
    {
        lock (_gate)
        {
            return (_skipped, _skipped = 0).Item1;
        }
    }

    /// <summary>The copy at an offset of the retry partition; null where there is none of a key that is kept in order.</summary>
    public ParkedCopy? CopyAt(long offset)
    {
        lock (_gate)
        {
            return _byOffset.GetValueOrDefault(offset);
        }
    }

    /// <summary>Whether a copy is a stranger's, or none of a key that is kept in order: then it stays one when it is written again.</summary>
    public bool IsStranger(long offset)
    {
        lock (_gate)
        {
            return !_byOffset.TryGetValue(offset, out var copy) || copy.IsStranger;
        }
    }

    /// <summary>What a copy of this key says of its writer.</summary>
    public ParkingStamp StampFor(byte[]? key)
    {
        lock (_gate)
        {
            // What is read again with this copy must not be handled again: what came between it and this one may have been handled from the source, and is not.
            KeyRelease? release = key is not null && _keys.TryGetValue(key, out var parked) && parked.FinishedOffset >= 0
                ? ReleaseUpTo(parked.FinishedOffset, parked, finishing: null, doomed: false) : null;
            return new ParkingStamp(_writer, _committed, Seal.Seal, release);
        }
    }

    // ── the pair ──────────────────────────────────────────────────────────────────────────────────────────────────────
    /// <summary>The retry partition was read to its end.</summary>
    public void Recovered()
    {
        lock (_gate)
        {
            IsRecovered = true;
        }
    }

    /// <summary>Both partitions are ours and nothing of an assignment before runs: copies may be handled. Or not any more.</summary>
    public void Open(bool open)
    {
        lock (_gate)
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
                    Look(key);
                }
            }
        }
    }

    /// <summary>The retry partition is not ours any more.</summary>
    public void Close()
    {
        lock (_gate)
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
            lock (_gate)
            {
                return _joined;
            }
        }
    }

    /// <summary>The source partition of the pair is ours too.</summary>
    /// <param name="isSought"> Whether it begins somewhere else than where the group stands. One that was another member's meanwhile begins where the
    /// group stands: nobody handles it without its retry partition, so what is known of its copies holds, and their seal with it.
    /// </param>
    public void Join(bool isSought)
    {
        lock (_gate)
        {
            if (_joined && isSought)
            {
                SourceSought();
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
    /// <param name="end">The end of the source partition, as far as is known: what is said of messages behind it is said of another topic of its name.</param>
    public void SourceBegan(long offset, bool isResumed, long end = long.MaxValue)
    {
        lock (_gate)
        {
            _began = offset;
            _resumed = isResumed;
            _committed = offset;
            foreach (var key in _keys.Values.Where(key => key.Frontier >= end))
            {
                key.Unsee();
            }
        }
    }

    /// <summary>The source partition is read from somewhere else: what was copied once may come again because it is wanted.</summary>
    public void SourceSought()
    {
        lock (_gate)
        {
            _began = -1;
            _resumed = false;
            _committed = null;
            Seal.Renew();
            foreach (var key in _keys.Values)
            {
                key.Unsee();
            }
        }
    }

    /// <summary>The broker has this offset of the source partition.</summary>
    public void SourceCommitted(long offset)
    {
        lock (_gate)
        {
            if (_began >= 0)
            {
                _committed = offset;
            }
        }
    }

    /// <summary>All copies below this offset are finished, as far as is known.</summary>
    public void AllFinishedBelow(long offset)
    {
        lock (_gate)
        {
            _lowest = offset;
        }
    }

    // ── what is read ──────────────────────────────────────────────────────────────────────────────────────────────────
    /// <summary>A copy was read.</summary>
    /// <returns>The arrival that is finished by that: its own, or that of the copy it replaces; null where there is none.</returns>
    public long? Read(byte[] key, in ParkedRecord record, long now)
    {
        lock (_gate)
        {
            var isOurs = string.Equals(record.Writer, _writer, StringComparison.Ordinal);
            var isAnothers = record.Writer is not null && !isOurs;
            var parked = KeyOf(key);
            if (isAnothers)
            {
                RememberFrontier(parked, record.Origin, record.Timestamp, record.Committed);
            }

            if (parked.Copies.TryGetValue(record.Origin, out var copy))
            {
                return ReadAgain(parked, copy, record, now);
            }

            copy = new ParkedCopy(parked, record.Origin, record.Timestamp) { IsStranger = record.IsStranger, IsRepeat = IsRepeat(parked, record, isAnothers) };
            parked.Copies.Add(record.Origin, copy);
            Take(copy, record, now);
            Look(parked);
            return null;
        }
    }

    /// <summary>A release was read.</summary>
    /// <returns>The arrivals that are finished by that.</returns>
    public List<long> ReadRelease(byte[] key, in KeyRelease release, long offset)
    {
        var finished = new List<long>();
        lock (_gate)
        {
            // In front of the end it is what an assignment before left us; behind it we know better.
            if (IsRecovered || !_keys.TryGetValue(key, out var parked))
            {
                return finished;
            }

            foreach (var copy in parked.Copies.Values.ToList())
            {
                // A stranger's has no place in the order of the key: what is said of that order does not finish it.
                if (copy.Offset <= release.UpTo && copy.Origin < release.Next && (!copy.IsStranger || release.Next < 0))
                {
                    finished.Add(copy.Arrival);
                    Forget(copy);
                    parked.FinishedOrigin = Math.Max(parked.FinishedOrigin, copy.Origin);
                }
                else if (release.IsDoomed && copy.Offset < offset)
                {
                    copy.IsDoomed = true;
                }
            }
        }

        return finished;
    }

    /// <summary>A record of an assignment before was read, which says up to where the messages of a key were seen to.</summary>
    public void ReadSeen(byte[] key, long origin, long timestamp, string? writer, long? committed)
    {
        lock (_gate)
        {
            if (writer is not null && !string.Equals(writer, _writer, StringComparison.Ordinal))
            {
                RememberFrontier(KeyOf(key), origin, timestamp, committed);
            }
        }
    }

    /// <summary>A copy is not in the topic any more.</summary>
    public void Gone(long offset)
    {
        lock (_gate)
        {
            if (_byOffset.TryGetValue(offset, out var copy))
            {
                Forget(copy);
                Look(copy.Key);
            }
        }
    }

    /// <summary>The retry topic is another one: nothing of what was in it is there.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            foreach (var copy in _byOffset.Values.ToList())
            {
                Forget(copy);
            }
        }
    }

    // ── what is to be read again ──────────────────────────────────────────────────────────────────────────────────────
    /// <summary>Takes those that are at their turn and due: of each key the first ones, as many as stand in its order in the topic.</summary>
    public List<DelayedRetry> TakeDue(long now, int most)
    {
        var due = new List<DelayedRetry>();
        lock (_gate)
        {
            while (due.Count < most && _timers.TryPeek(out var key, out var time) && time <= now)
            {
                _timers.Dequeue();
                if (!MayStart(key))
                {
                    continue;
                }

                var before = -1L;
                foreach (var copy in key.Copies.Values)
                {
                    if (copy.State is ParkedState.Done)
                    {
                        continue;
                    }

                    if (copy is not { State: ParkedState.Waiting, IsWhole: true } || copy.TurnAt > now || copy.Offset < before || key.Started >= MostAhead)
                    {
                        break;
                    }

                    before = copy.Offset;
                    copy.State = ParkedState.Started;
                    key.Started++;
                    _waiting--;
                    due.Add(new DelayedRetry(copy.Offset, copy.Arrival, copy.Due, copy.HopAt));
                }

                if (key.Started == 0)
                {
                    Look(key);   // its first one is due later than it was
                }
            }
        }

        return due;
    }

    /// <summary>Takes the first ones that may be moved to the end, at most so many, and none behind one that may not.</summary>
    public List<DelayedRetry> TakeFirst(int most, long now)
    {
        var taken = new List<DelayedRetry>();
        lock (_gate)
        {
            foreach (var copy in _byOffset.Values)
            {
                if (taken.Count == most || copy.HopAt > now || copy is not { State: ParkedState.Waiting, IsBeingWritten: false, IsRepeat: false })
                {
                    break;
                }

                copy.State = ParkedState.Awaited;
                copy.IsBeingWritten = true;
                _waiting--;
                taken.Add(new DelayedRetry(copy.Offset, copy.Arrival, copy.Due, copy.HopAt));
            }
        }

        return taken;
    }

    /// <summary>The pair is given away: what is void is finished as it is.</summary>
    /// <returns>The arrivals that are finished by that.</returns>
    public List<long> DropRepeats()
    {
        var finished = new List<long>();
        lock (_gate)
        {
            foreach (var copy in _byOffset.Values.Where(static copy => copy.IsRepeat).ToList())
            {
                finished.Add(copy.Arrival);
                Forget(copy);
                copy.Key.FinishedOffset = Math.Max(copy.Key.FinishedOffset, copy.LastOffset);
            }
        }

        return finished;
    }

    /// <summary>
    /// The pair is given away: what has to be written for whoever comes next, who reads the retry partition from its committed offset. Of a key of which
    /// copies behind that are finished, which ones; and where the source partition will be read again, up to where a key's messages were seen to: the
    /// copies that said so may be in front of the committed offset.
    /// </summary>
    /// <param name="sourceOffset">Where the source partition will be read from; null where nothing of it was finished.</param>
    public List<KeyNote> Leave(long? sourceOffset)
    {
        var notes = new List<KeyNote>();
        lock (_gate)
        {
            foreach (var key in _keys.Values)
            {
                var holds = key.Frontier >= 0 && (_began < 0 || key.FrontierCommitted <= _began);
                var (origin, timestamp) = holds && key.Frontier > key.Seen ? (key.Frontier, key.FrontierTimestamp) : (key.Seen, key.SeenTimestamp);
                var committed = !key.WentBack && origin >= (sourceOffset ?? 0) ? _committed ?? (holds ? key.FrontierCommitted : null) : null;
                var isRead = key.FinishedOffset >= _lowest;
                if (isRead || (committed is not null && key.Copies.Count == 0))
                {
                    notes.Add(new KeyNote(key.Key, Math.Max(0, origin), timestamp,
                        new ParkingStamp(_writer, committed, Seal.Seal, ReleaseUpTo(isRead ? key.FinishedOffset : -1, key, finishing: null, doomed: false))));
                }
            }
        }

        return notes;
    }

    /// <summary>Whether there is a copy of a key that is kept in order.</summary>
    public bool Has(long offset)
    {
        lock (_gate)
        {
            return _byOffset.ContainsKey(offset);
        }
    }

    /// <summary>One that was taken is not due after all.</summary>
    public void PutBack(long offset, long due)
    {
        lock (_gate)
        {
            if (_byOffset.TryGetValue(offset, out var copy) && copy.State is ParkedState.Started)
            {
                copy.Due = due;
                Wait(copy);
            }
        }
    }

    // ── a message of the source partition ─────────────────────────────────────────────────────────────────────────────
    /// <summary>
    /// Asks what is to be done with a message of the source partition; a worker's, in its key's lane. Where it waits behind others, its copy is awaited
    /// from now on.
    /// </summary>
    public ParkVerdict Enter(byte[] key, long origin, long timestamp)
    {
        lock (_gate)
        {
            if (_closed)
            {
                return ParkVerdict.Wait;   // nothing is begun until the pair is whole again
            }

            _entered = Math.Max(_entered, origin);
            var parked = KeyOf(key);
            if (_resumed && origin <= parked.Frontier && parked.FrontierCommitted <= _began)
            {
                _skipped++;
                Retire(parked);
                return ParkVerdict.Finish;
            }

            if (parked.Copies.Count == 0)
            {
                parked.WentBack |= origin <= parked.Seen;
                parked.Running = origin;
                return ParkVerdict.Handle;
            }

            if (parked.Copies.TryGetValue(origin, out var copy) && copy.Timestamp == timestamp)
            {
                if (copy is { IsRepeat: true, State: not ParkedState.Waiting })
                {
                    return ParkVerdict.Wait;
                }

                copy.IsRepeat = false;   // it is not handled yet
                Look(parked);
                return ParkVerdict.Finish;
            }

            if (copy is not null || origin > parked.Copies.GetKeyAtIndex(0))
            {
                return Await(parked, origin, timestamp, attempt: 0) ? ParkVerdict.Park : ParkVerdict.Wait;
            }

            // In front of all that are parked: one that is read once more. It must not run beside one of them.
            if (parked.Started > 0 || parked.Copies.GetValueAtIndex(0).State is ParkedState.Done)
            {
                return ParkVerdict.Wait;
            }

            parked.WentBack = true;
            parked.Running = origin;
            return ParkVerdict.Handle;
        }
    }

    /// <summary>A message of the source partition that failed is about to be copied.</summary>
    /// <returns>Whether it may; else it is tried again a little later.</returns>
    public bool Depart(byte[] key, long origin, long timestamp, int attempt)
    {
        lock (_gate)
        {
            return Await(KeyOf(key), origin, timestamp, attempt);
        }
    }

    /// <summary>A copy of a message was written, and will be read at this offset.</summary>
    public void Written(byte[] key, long origin, long offset)
    {
        lock (_gate)
        {
            if (_keys.TryGetValue(key, out var parked) && parked.Copies.TryGetValue(origin, out var copy))
            {
                copy.IsBeingWritten = false;
                copy.WrittenAt = Math.Max(copy.WrittenAt, offset);
                Look(parked);
            }
        }
    }

    /// <summary>Its copy cannot be written: it is too large.</summary>
    public void Withdraw(byte[] key, long origin)
    {
        lock (_gate)
        {
            if (_keys.TryGetValue(key, out var parked) && parked.Copies.TryGetValue(origin, out var copy) && copy.State is ParkedState.Awaited
                && copy.Offset < 0)
            {
                parked.Copies.Remove(origin);
            }
        }
    }

    /// <summary>A message of the source partition is finished. Poll thread: until then nothing of its key is handled from the retry topic.</summary>
    public void Left(byte[] key, long origin)
    {
        lock (_gate)
        {
            if (_keys.TryGetValue(key, out var parked) && parked.Running == origin)
            {
                parked.Running = -1;
                Look(parked);
            }
        }
    }

    // ── a copy ────────────────────────────────────────────────────────────────────────────────────────────────────────
    /// <summary>Asks what is to be done with a copy that is in its lane; a worker's.</summary>
    /// <param name="offset">Where it is in the retry topic.</param>
    /// <param name="copy">The copy; null where it is none of a key that is kept in order.</param>
    public ParkVerdict Begin(long offset, out ParkedCopy? copy)
    {
        lock (_gate)
        {
            if (!_byOffset.TryGetValue(offset, out copy))
            {
                return ParkVerdict.Handle;
            }

            if (copy.State is not ParkedState.Started)
            {
                return ParkVerdict.Finish;   // another copy of it counts
            }

            if (!_open || copy.Key.Running >= 0 || !ReferenceEquals(FirstOf(copy.Key), copy))
            {
                Wait(copy);
                return ParkVerdict.PutBack;
            }

            return copy.IsRepeat ? ParkVerdict.Finish : copy.IsDoomed ? ParkVerdict.DeadLetter : ParkVerdict.Handle;
        }
    }

    /// <summary>A copy failed again and is about to be copied once more.</summary>
    public void Depart(ParkedCopy copy, int attempt)
    {
        lock (_gate)
        {
            if (copy.IsStranger || (copy.State is ParkedState.Awaited && copy.Attempt >= attempt))
            {
                return;   // it comes again as another one, or is tried again
            }

            Stop(copy);
            copy.Attempt = attempt;
            copy.State = ParkedState.Awaited;
            copy.IsBeingWritten = true;
            if (copy.Later is { } later && later.Attempt >= attempt)
            {
                // It was written before, by a send without an answer.
                copy.Later = null;
                Take(copy, later, later.Due);
                Look(copy.Key);
            }
        }
    }

    /// <summary>It is too large to be copied once more.</summary>
    public void Withdraw(ParkedCopy copy)
    {
        lock (_gate)
        {
            if (copy.State is ParkedState.Awaited)
            {
                copy.State = ParkedState.Started;
                copy.IsBeingWritten = false;
                copy.Key.Started++;
            }
        }
    }

    /// <summary>A copy is handled: what has to be written before that counts; null where nothing has.</summary>
    public KeyRelease? Finishing(ParkedCopy copy)
    {
        lock (_gate)
        {
            var key = copy.Key;
            var finished = Math.Max(key.FinishedOffset, copy.LastOffset);
            var next = FirstOf(key, copy);

            // Else what is read again after a crash is read with all that comes after it: the next copy is behind this one, or the offset of the last one
            // is committed with whatever is handled after it.
            var isNeeded = copy.IsRepeat || (next is null ? finished > _lowest : next.State is not ParkedState.Awaited && finished > next.Offset);
            return isNeeded ? ReleaseUpTo(finished, key, copy, doomed: false) : null;
        }
    }

    /// <summary>The others of a copy's key are to be dead-lettered with it; returns what has to be written first, null where there is no other.</summary>
    public KeyRelease? Doom(ParkedCopy copy)
    {
        lock (_gate)
        {
            if (FirstOf(copy.Key, copy) is null)
            {
                return null;
            }

            foreach (var other in copy.Key.Copies.Values)
            {
                other.IsDoomed |= !ReferenceEquals(other, copy);
            }

            return ReleaseUpTo(Math.Max(copy.Key.FinishedOffset, copy.LastOffset), copy.Key, copy, doomed: true);
        }
    }

    /// <summary>
    /// A copy is finished, and what had to be written is. The next one of its key may be handled, none of the source topic until the poll thread knows.
    /// </summary>
    public void Finish(ParkedCopy copy, KeyRelease? released)
    {
        lock (_gate)
        {
            Stop(copy);
            copy.State = ParkedState.Done;
            var key = copy.Key;
            var finished = Math.Max(key.FinishedOffset, copy.LastOffset);
            key.FinishedOffset = released is { } record && finished <= record.UpTo ? -1 : finished;
            key.FinishedOrigin = Math.Max(key.FinishedOrigin, copy.Origin);
            if (!copy.IsStranger)
            {
                key.See(copy.Origin, copy.Timestamp);
            }

            Look(key);
        }
    }

    /// <summary>The poll thread took a copy back.</summary>
    public void Left(long offset)
    {
        lock (_gate)
        {
            if (!_byOffset.TryGetValue(offset, out var copy))
            {
                return;
            }

            if (copy is { State: ParkedState.Awaited, IsStranger: false })
            {
                _byOffset.Remove(offset);   // the copy that was written instead is to be read
                return;
            }

            // Done; or skipped by name.
            var (key, later) = (copy.Key, copy.Later);
            Forget(copy);
            if (later is { } record)
            {
                var repeat = new ParkedCopy(key, copy.Origin, copy.Timestamp) { IsRepeat = true };
                key.Copies.Add(copy.Origin, repeat);
                Take(repeat, record, record.Due);
            }

            Look(key);
        }
    }

    /// <summary>Forgets keys that were not used for long. Also its clock.</summary>
    public void Sweep(long now)
    {
        lock (_gate)
        {
            _now = now;
            for (var looks = _retired.Count; looks > 0 && _retired.TryPeek(out var key) && key.RetiredAt + Remembered <= now; looks--)
            {
                _retired.Dequeue();
                key.RetiredAt = null;
                if (key is { Copies.Count: 0, Running: < 0 })
                {
                    if (key.FinishedOffset <= _lowest && key.Frontier <= _entered && Math.Max(key.Frontier, key.Seen) < (_committed ?? long.MaxValue))
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

    private ParkedKey KeyOf(byte[] key)
    {
        if (!_keys.TryGetValue(key, out var parked))
        {
            parked = new ParkedKey(key);
            _keys.Add(key, parked);
        }

        return parked;
    }

    private static ParkedCopy? FirstOf(ParkedKey key, ParkedCopy? but = null)
    {
        foreach (var other in key.Copies.Values)
        {
            if (other.State is not ParkedState.Done && !ReferenceEquals(other, but))
            {
                return other;
            }
        }

        return null;
    }

    // Whether the message was finished here. After the end of what an assignment before left us, its copies are of who does not know yet that it lost the
    // partition: its message was copied before, where the source was committed behind it, or we have it ourselves. And a send without an answer may write
    // one twice.
    private bool IsRepeat(ParkedKey parked, in ParkedRecord record, bool isAnothers) => IsRecovered
        && record is { Writer: not null, IsStranger: false }
        && (record.Origin <= parked.FinishedOrigin || (isAnothers && _began >= 0 && (record.Origin >= _began ? record.Origin <= _entered : _resumed)));

    // All that are there and in front of the first one that is not finished.
    private static KeyRelease ReleaseUpTo(long offset, ParkedKey key, ParkedCopy? finishing, bool doomed)
    {
        foreach (var copy in key.Copies.Values)
        {
            if (copy.State is not ParkedState.Done && !ReferenceEquals(copy, finishing) && copy.Offset >= 0 && copy.Offset <= offset)
            {
                return new KeyRelease(offset, copy.Origin, doomed);
            }
        }

        return new KeyRelease(offset, long.MaxValue, doomed);
    }

    private void RememberFrontier(ParkedKey parked, long origin, long timestamp, long? sourceCommitted)
    {
        if (!IsRecovered && sourceCommitted is { } committed && origin >= parked.Frontier)
        {
            parked.Frontier = origin;
            parked.FrontierCommitted = committed;
            parked.FrontierTimestamp = timestamp;
        }
    }

    private long? ReadAgain(ParkedKey parked, ParkedCopy copy, in ParkedRecord record, long now)
    {
        copy.Touch(record.Offset);
        switch (copy.State)
        {
            case ParkedState.Awaited when record.Attempt >= copy.Attempt:
                Take(copy, record, now);
                Look(parked);
                return null;

            case ParkedState.Waiting when record.Attempt >= copy.Attempt:
                var replaced = copy.Arrival;
                _waiting--;
                Take(copy, record, now);
                Look(parked);
                return replaced;

            case ParkedState.Started when record.Attempt > copy.Attempt:
            case ParkedState.Done:
                var other = copy.Later?.Arrival;
                copy.Later = record;
                return other;

            default:
                Look(parked);   // it may be what was still to be read
                return record.Arrival;
        }
    }

    private void Take(ParkedCopy copy, in ParkedRecord record, long now)
    {
        _byOffset.Remove(copy.Offset);
        copy.Read(record, Math.Min(record.Due, now) + (Math.Max(0, record.Due - now) / 2));
        _byOffset[record.Offset] = copy;
        _waiting++;
    }

    // False: an older one with the same place is under way, or who comes next would not believe the copy.
    private bool Await(ParkedKey parked, long origin, long timestamp, int attempt)
    {
        if (!Seal.IsReady)
        {
            return false;
        }

        if (!parked.Copies.TryGetValue(origin, out var copy))
        {
            parked.Copies.Add(origin, new ParkedCopy(parked, origin, timestamp) { Attempt = attempt, State = ParkedState.Awaited, IsBeingWritten = true });
            return true;
        }

        return copy.Timestamp == timestamp && copy.State is ParkedState.Awaited;
    }

    private void Stop(ParkedCopy copy)
    {
        if (copy.State is ParkedState.Started)
        {
            copy.Key.Started--;
        }
    }

    private void Wait(ParkedCopy copy)
    {
        Stop(copy);
        copy.State = ParkedState.Waiting;
        _waiting++;
        Look(copy.Key);
    }

    private void Forget(ParkedCopy copy)
    {
        Stop(copy);
        _waiting -= copy.State is ParkedState.Waiting ? 1 : 0;
        copy.Key.Copies.Remove(copy.Origin);
        _byOffset.Remove(copy.Offset);
    }

    private bool MayStart(ParkedKey key) => _open && key.Started == 0 && key.Running < 0;

    // Notes when the key's first copy is due, or that the key is not needed any more.
    private void Look(ParkedKey key)
    {
        if (MayStart(key) && FirstOf(key) is { State: ParkedState.Waiting, IsWhole: true } first)
        {
            _timers.Enqueue(key, first.TurnAt);
        }
        else if (key is { Copies.Count: 0, Running: < 0 })
        {
            Retire(key);
        }
    }

    private void Retire(ParkedKey key)
    {
        if (key is { Copies.Count: 0, Running: < 0, FinishedOffset: < 0, FinishedOrigin: < 0, Frontier: < 0 })
        {
            _keys.Remove(key.Key);
        }
        else if (key is { Copies.Count: 0, Running: < 0, RetiredAt: null })
        {
            key.RetiredAt = _now;
            _retired.Enqueue(key);
        }
    }
}
