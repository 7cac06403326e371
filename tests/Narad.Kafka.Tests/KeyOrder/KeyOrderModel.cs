using System.Globalization;
using System.Text;
using Narad.Kafka.Consuming;
using Narad.Kafka.KeyOrder;

namespace Narad.Kafka.Tests.KeyOrder;

/// <summary>
/// One partition pair with its two logs, a broker that remembers what was committed, and one member after the other that reads, handles, fails, copies,
/// republishes, crashes and is restarted,
/// in an order that a list of choices decides. The order of keys is kept by the library's <see cref="BlockedKeys"/> and <see cref="OffsetTracker"/>;
/// everything else is simulated.
/// </summary>
internal sealed class KeyOrderModel
{
    private const int Attempts = 3;
    private const int Keys = 3;

    private readonly List<Sent> _source = [];
    private readonly List<Copy> _retries = [];
    private readonly List<Copy> _late = [];                         // written by members that are gone, and not in the log yet
    private readonly List<(string Key, long Origin, bool Redriven)> _done = [];
    private readonly Dictionary<long, int> _failuresLeft = [];
    private readonly HashSet<long> _deadLetters = [];
    private readonly HashSet<long> _redriven = [];                  // these come when somebody says so, in no order
    private readonly StringBuilder _story = new();
    private readonly IEnumerator<int> _choices;
    private (long? Source, long? Retries) _committed;
    private Member _member;
    private long _now = 1_000;
    private int _members;
    private readonly bool _orderly;

    private KeyOrderModel(IEnumerable<int> choices, bool orderly)
    {
        _orderly = orderly;
        _choices = choices.GetEnumerator();
        _member = new Member(this);
    }

    /// <summary>What is wrong; null where nothing is.</summary>
    /// <param name="choices">What happens, and in which order.</param>
    /// <param name="orderly">No member crashes, and nothing is redriven: then nothing that was copied is done twice, either.</param>
    public static string? Check(IEnumerable<int> choices, bool orderly = false)
    {
        var model = new KeyOrderModel(choices, orderly);
        var wrong = model.Run();
        if (wrong is null)
        {
            return null;
        }

        // Of a fault of one key, what happened to that key.
        string[] told = wrong[0] == 'k' ? [wrong[..2], "member", "end"] : [""];
        var lines = model._story.ToString().Split('\n').Where(line => Array.Exists(told, text => line.Contains(text, StringComparison.Ordinal)));
        return $"{wrong}\n{string.Join('\n', lines)}";
    }

    private string? Run()
    {
        while (_choices.MoveNext())
        {
            Step(_choices.Current);
        }

        // No more faults: everything comes to its end.
        _late.Clear();
        for (var quiet = 0; quiet < 3; quiet++)
        {
            for (var turns = 0; !_member.IsIdle; turns++)
            {
                if (turns > 20_000)
                {
                    return $"it never comes to its end: {_member}";
                }

                _now += 50;
                _member.Work();
            }

            _member.Commit();
            _now += 10_000;
            _member.Work();
        }

        return Verdict();
    }

    private void Step(int choice)
    {
        var (action, parameter) = ((choice & 0x7FFFFFFF) % 32, (choice & 0x7FFFFFFF) / 32);
        switch (action)
        {
            case < 6:
                Send(parameter);
                break;
            case < 10:
                _member.ReadSource();
                break;
            case < 15:
                _member.ReadRetries();
                break;
            case < 22:
                _member.WorkOn(parameter);
                break;
            case < 25:
                _member.TakeBack(parameter);
                break;
            case 25:
                _now += parameter % 400;
                break;
            case 26:
                _member.Store();
                break;
            case 27:
                _member.Commit();
                break;
            case 28:
                _member.Republish(parameter);
                break;
            case 29:
                Land(parameter);
                break;
            case 30 when parameter % 3 == 0 && !_orderly:
                Redrive(parameter / 3);
                break;
            case 30:
                Begin(_member.Leave());
                break;
            case 31 when parameter % 3 == 0 && !_orderly:
                _member.Crash(parameter / 3);
                Begin("crashed");
                break;
        }
    }

    private void Begin(string how)
    {
        Say($"the member {how}; committed {_committed.Source} and {_committed.Retries}");
        _late.RemoveAll(late => !_member.Wrote(late));   // what comes later than one assignment after it was written is not kept apart
        _member = new Member(this);
    }

    private void Send(int parameter)
    {
        var key = $"k{parameter % Keys}";
        var failures = (parameter / Keys % 8) switch { 0 => 1, 1 => 2, 2 => Attempts + 1, _ => 0 };
        _failuresLeft[_source.Count] = failures;
        Say($"{key}: m{_source.Count} is sent, fails {failures} time(s)");
        _source.Add(new Sent(key, _now));
    }

    private void Redrive(int parameter)
    {
        if (_deadLetters.Count == 0)
        {
            return;
        }

        var origin = _deadLetters.ElementAt(parameter % _deadLetters.Count);
        _deadLetters.Remove(origin);
        _redriven.Add(origin);
        _failuresLeft[origin] = parameter / 7 % 2;
        Append(new Copy(_source[(int)origin].Key, origin, Attempt: 0, Due: _now, Writer: null, Committed: null, IsRedriven: true));
    }

    // What a member that is gone wrote reaches the log.
    private void Land(int parameter)
    {
        if (_late.Count > 0)
        {
            var late = _late[parameter % _late.Count];
            if (_member.IsRecovered && (late.IsKeyCheckpoint || !_member.HasRead(late.Origin)))
            {
                return;   // nor is there a fence against one that dies before it has read as far as the one before
            }

            _late.Remove(late);
            Say("late:");
            Append(late);

            // Whoever has the partition notes that it is void; there is no fence against a member that dies before it does.
            for (var turns = 0; turns < 10_000 && _member.IsRecovered && (_member.HasUnread || (_member.HasRepeats && parameter % 4 != 0)); turns++)
            {
                _now++;
                if (parameter % 4 == 0)
                {
                    _member.ReadRetries();
                }
                else
                {
                    _member.Work();
                }
            }

            if (_member.HasRepeats)
            {
                Begin(_member.Leave());   // it is revoked meanwhile
            }
        }
    }

    private long Append(Copy copy)
    {
        var what = copy.IsKeyCheckpoint ? "" : $"m{copy.Origin} for attempt {copy.Attempt}";
        Say($"{copy.Key}: r{_retries.Count} is {what} {copy.Finished} by {copy.Writer?[..4]}");
        _retries.Add(copy);
        return _retries.Count - 1;
    }

    private void Done(string key, long origin, bool dead)
    {
        Say($"{key}: m{origin} is {(dead ? "a dead letter" : "handled")}");
        _done.Add((key, origin, _redriven.Contains(origin)));
        if (dead)
        {
            _deadLetters.Add(origin);
        }
    }

    private void Say(string text) => _story.AppendLine(CultureInfo.InvariantCulture, $"{_now} #{_members} {text}");

    // Per key: from each message to the next one or back, never further.
    private string? Verdict()
    {
        foreach (var key in _source.Select(static sent => sent.Key).Distinct(StringComparer.Ordinal))
        {
            var order = _source.Select(static (sent, offset) => (sent.Key, Offset: (long)offset)).Where(one => one.Key == key).Select(static one => one.Offset)
                .ToList();
            var all = _done.Where(one => one.Key == key).ToList();
            var done = all.ConvertAll(static one => one.Origin);
            var missing = order.Except(done).ToList();
            if (missing.Count > 0)
            {
                return $"{key}: lost m{string.Join(", m", missing)}";
            }

            var before = -1;
            foreach (var (_, origin, redriven) in all)
            {
                var rank = order.IndexOf(origin);
                if (redriven && rank != before + 1)
                {
                    continue;
                }

                if (rank > before + 1)
                {
                    return $"{key}: m{origin} is done before m{order[before + 1]}, in {string.Join(" ", done)}";
                }

                before = rank;
            }

            // Orderly hand-overs repeat nothing that was copied.
            if (_orderly && done.GroupBy(static origin => origin)
                .FirstOrDefault(group => group.Count() > 1 && _retries.Exists(copy => copy.Origin == group.Key && !copy.IsKeyCheckpoint)) is { } twice)
            {
                return $"{key}: m{twice.Key} is done {twice.Count()} times, in {string.Join(" ", done)}";
            }
        }

        return null;
    }

    private sealed record Sent(string Key, long Timestamp);

    private sealed record Copy(string Key, long Origin, int Attempt, long Due, string? Writer, long? Committed, FinishedRecords? Finished = null,
        bool IsKeyCheckpoint = false, bool IsRedriven = false);

    private sealed class Work(string key, long offset, long arrival)
    {
        public string Key => key;

        public long Offset => offset;       // in its own log

        public long Sequence => arrival;

        public BlockedRecord? Blocked { get; set; }

        public Copy? Publishing { get; set; }

        public Action? Published { get; set; }

        public bool IsWritten { get; set; }

        public long WrittenAt { get; set; }

        public bool IsPutBack { get; set; }
    }

    private sealed class Member
    {
        private readonly KeyOrderModel _model;
        private readonly string _writer;
        private readonly BlockedKeys _blockedKeys;
        private readonly OffsetTracker _sourceTracker = new();
        private readonly OffsetTracker _retryTracker = new();
        private readonly SortedDictionary<string, Queue<Work>> _sourceQueues = new(StringComparer.Ordinal);
        private readonly SortedDictionary<string, Queue<Work>> _retryQueues = new(StringComparer.Ordinal);
        private readonly List<Work> _republishes = [];
        private readonly List<(bool IsSource, Work Work)> _finished = [];
        private (long? Source, long? Retries) _stored;
        private readonly long _first;
        private readonly int _doneBefore;
        private long _sourceNext;
        private long _retryNext;
        private bool _began;

        public Member(KeyOrderModel model)
        {
            _model = model;
            _writer = $"{++model._members:0000}-writer";
            _blockedKeys = new BlockedKeys(_writer);
            _sourceNext = model._committed.Source ?? 0;
            _first = _sourceNext;
            _doneBefore = model._done.Count;
            _retryNext = model._committed.Retries ?? 0;
            _stored = model._committed;
            if (model._committed.Source is not null)
            {
                _blockedKeys.Seal.Committed();
            }
        }

        public override string ToString() =>
            $"recovered {_blockedKeys.IsRecovered}, {_blockedKeys.Count} copies, source {_sourceNext} of {_model._source.Count}, "
                + $"retries {_retryNext} of {_model._retries.Count}, {_republishes.Count} republished, {_finished.Count} finished, "
                + $"queues {Counts(_sourceQueues)} / {Counts(_retryQueues)}, {_model._late.Count} late";

        private static string Counts(SortedDictionary<string, Queue<Work>> queues) =>
            string.Join(' ', queues.Select(static queue => $"{queue.Key} {queue.Value.Count}"));

        public bool Wrote(Copy copy) => string.Equals(copy.Writer, _writer, StringComparison.Ordinal);

        public bool HasRead(long origin) => origin < _first || _model._done.Skip(_doneBefore).Any(one => one.Origin == origin);

        public bool IsRecovered => _blockedKeys.IsRecovered;

        public bool HasUnread => _retryNext < _model._retries.Count;

        public bool HasRepeats => _blockedKeys.Duplicates > 0;

        public bool IsIdle =>
            _blockedKeys is { IsRecovered: true, Count: 0 } && _sourceNext == _model._source.Count && _retryNext == _model._retries.Count
                && _republishes.Count == 0 && _finished.Count == 0
            && _sourceQueues.Values.All(static queue => queue.Count == 0) && _retryQueues.Values.All(static queue => queue.Count == 0);

        public void Work()
        {
            ReadRetries();
            ReadSource();
            for (var i = 0; i < Keys * 2; i++)
            {
                WorkOn(i);
            }

            TakeBack(0);
            Store();
        }

        public void ReadSource()
        {
            if (!_blockedKeys.IsRecovered || _sourceNext == _model._source.Count)
            {
                return;
            }

            var sent = _model._source[(int)_sourceNext];
            var arrival = _sourceTracker.Add(_sourceNext);
            if (!_began)
            {
                _began = true;
                _blockedKeys.SourceBegan(_sourceNext, isResumed: _model._committed.Source is not null);
                if (_model._committed.Source is null)
                {
                    // Before anything is copied the group commits where it begins, with its seal.
                    _model._committed = (_sourceNext, _model._committed.Retries);
                    _stored = (_sourceNext, _stored.Retries);
                    _blockedKeys.SourceCommitted(_sourceNext);
                    _blockedKeys.Seal.Committed();
                }
            }

            QueueOf(_sourceQueues, sent.Key).Enqueue(new Work(sent.Key, _sourceNext, arrival));
            _sourceNext++;
        }

        public void ReadRetries()
        {
            if (_retryNext == _model._retries.Count)
            {
                if (!_blockedKeys.IsRecovered)
                {
                    _model.Say("the retries are read to their end");
                    _blockedKeys.Recovered();
                    _blockedKeys.Open(true);
                }

                Start();
                return;
            }

            var (offset, copy) = (_retryNext, _model._retries[(int)_retryNext]);
            _retryNext++;
            var arrival = _retryTracker.Add(offset);
            if (copy.Finished is { } finishedRecords)
            {
                _blockedKeys.ReadFinished(Encoding.UTF8.GetBytes(copy.Key), finishedRecords, offset).ForEach(Settle);
            }

            if (copy.IsKeyCheckpoint)
            {
                var timestamp = _model._source[(int)copy.Origin].Timestamp;
                _blockedKeys.ReadKeyCheckpoint(Encoding.UTF8.GetBytes(copy.Key), copy.Origin, timestamp, copy.Writer, copy.Committed);
                Settle(arrival);
            }
            else
            {
                var record = copy.IsRedriven
                    ? StoredRecord.Stranger(offset, arrival, _model._now, copy.Attempt, copy.Due)
                    : new StoredRecord(offset, arrival, copy.Origin, _model._source[(int)copy.Origin].Timestamp, copy.Attempt, copy.Due, copy.Writer,
                        copy.Committed, IsStranger: false);
                if (_blockedKeys.Read(Encoding.UTF8.GetBytes(copy.Key), record, _model._now) is { } finished)
                {
                    Settle(finished);
                }
            }

            Start();
        }

        public void WorkOn(int parameter)
        {
            Start();
            var queues = _sourceQueues.Values.Select(static queue => (IsSource: true, KeyQueue: queue))
                .Concat(_retryQueues.Values.Select(static queue => (IsSource: false, KeyQueue: queue))).Where(static one => one.KeyQueue.Count > 0).ToList();
            var count = queues.Count + _republishes.Count;
            if (count == 0)
            {
                return;
            }

            var index = parameter % count;
            if (index >= queues.Count)
            {
                Publish(_republishes[index - queues.Count]);
                return;
            }

            var (isSource, queue) = queues[index];
            var work = queue.Peek();
            if (work.Publishing is not null)
            {
                Publish(work);
            }
            else if (isSource)
            {
                FromSource(work, queue);
            }
            else
            {
                FromRetries(work, queue);
            }
        }

        // The poll thread hears of what workers finished, in any order.
        public void TakeBack(int parameter)
        {
            while (_finished.Count > 0)
            {
                var (isSource, work) = _finished[parameter % _finished.Count];
                _finished.RemoveAt(parameter % _finished.Count);
                if (work.IsPutBack)
                {
                    continue;
                }

                if (isSource)
                {
                    _sourceTracker.Finish(work.Sequence);
                    _blockedKeys.OnSourceFinished(Encoding.UTF8.GetBytes(work.Key), work.Offset);
                }
                else
                {
                    Settle(work.Sequence);
                    _blockedKeys.OnRecordReturned(work.Offset);
                }
            }
        }

        public void Store() => _stored = (_sourceTracker.Committable ?? _stored.Source, _retryTracker.Committable ?? _stored.Retries);

        public void Commit()
        {
            _model._committed = _stored;
            if (_stored.Source is { } source)
            {
                _blockedKeys.SourceCommitted(source);
            }
        }

        public void Republish(int parameter)
        {
            if (_blockedKeys.IsRecovered)
            {
                RepublishAll(_blockedKeys.TakeFirst(1 + (parameter % 3), long.MaxValue));
            }
        }

        // In order: what runs is finished, and who comes next is told what was.
        public string Leave()
        {
            foreach (var (isSource, queues) in new[] { (true, _sourceQueues), (false, _retryQueues) })
            {
                foreach (var queue in queues.Values.Where(static queue => queue.Count > 0))
                {
                    while (queue.TryPeek(out var work) && work.Publishing is not null)
                    {
                        Publish(work);
                    }
                }
            }

            PublishRepublished();
            TakeBack(0);
            _blockedKeys.FinishDuplicates().ForEach(Settle);
            foreach (var note in _blockedKeys.TakeKeyCheckpoints(_sourceTracker.Committable))
            {
                _model.Append(new Copy(Encoding.UTF8.GetString(note.Key), note.Origin, 0, 0, note.Stamp.Writer, note.Stamp.Committed, note.Stamp.Finished,
                    IsKeyCheckpoint: true));
            }

            Store();
            Commit();
            return "left";
        }

        // Of what is on its way some is written, at once or later, and some is not.
        public void Crash(int parameter)
        {
            foreach (var work in _sourceQueues.Values.Concat(_retryQueues.Values).Where(static queue => queue.Count > 0).Select(static queue => queue.Peek())
                .Concat(_republishes).Where(static work => work is { Publishing: not null, IsWritten: false }))
            {
                parameter /= 3;
                switch (parameter % 3)
                {
                    case 0:
                        _model.Append(work.Publishing!);
                        break;
                    case 1:
                        _model._late.Add(work.Publishing!);
                        break;
                }
            }
        }

        private void FromSource(Work work, Queue<Work> queue)
        {
            var (key, sent) = (Encoding.UTF8.GetBytes(work.Key), _model._source[(int)work.Offset]);
            switch (_blockedKeys.DecideMessage(key, work.Offset, sent.Timestamp))
            {
                case KeyOrderDecision.Wait:
                    return;

                case KeyOrderDecision.Finish:
                    _model.Say($"{work.Key}: m{work.Offset} was copied or finished before");
                    Finish(isSource: true, queue);
                    return;

                case KeyOrderDecision.Forward:
                    PublishCopy(work, 0, _model._now, () => Finish(isSource: true, queue));
                    return;
            }

            if (Fails(work.Offset))
            {
                if (_blockedKeys.TryBeginForward(key, work.Offset, sent.Timestamp, 1))
                {
                    PublishCopy(work, 1, _model._now + 100, () => Finish(isSource: true, queue));
                }

                return;
            }

            _model.Done(work.Key, work.Offset, dead: false);
            Finish(isSource: true, queue);
        }

        private void FromRetries(Work work, Queue<Work> queue)
        {
            var verdict = _blockedKeys.DecideRecord(work.Offset, out var copy);
            work.Blocked = copy;
            switch (verdict)
            {
                case KeyOrderDecision.PutBack:
                    work.IsPutBack = true;
                    Finish(isSource: false, queue);
                    return;

                case KeyOrderDecision.Finish when copy is null:
                    Finish(isSource: false, queue);
                    return;

                case KeyOrderDecision.Handle:
                    var (attempt, origin) = (_model._retries[(int)work.Offset].Attempt, _model._retries[(int)work.Offset].Origin);
                    var failed = Fails(origin);
                    if (failed && attempt < Attempts)
                    {
                        _blockedKeys.BeginForward(copy!, attempt + 1);
                        PublishCopy(work, attempt + 1, _model._now + 100, () => Finish(isSource: false, queue));
                        return;
                    }

                    _model.Done(work.Key, origin, failed);
                    break;
            }

            var finishedRecords = _blockedKeys.PrepareFinish(copy!);
            void Released()
            {
                _blockedKeys.Finish(copy!, finishedRecords);
                Finish(isSource: false, queue);
            }

            if (finishedRecords is not { } record)
            {
                Released();
                return;
            }

            work.Publishing = new Copy(work.Key, Math.Max(0, copy!.Origin), 0, 0, _writer, Committed: null, record, IsKeyCheckpoint: true);
            work.Published = Released;
        }

        private void PublishCopy(Work work, int attempt, long due, Action published)
        {
            var stamp = _blockedKeys.StampFor(Encoding.UTF8.GetBytes(work.Key));
            work.Publishing = new Copy(work.Key, work.Blocked is null ? work.Offset
                : _model._retries[(int)work.Offset].Origin, attempt, due, stamp.Writer,
                    stamp.Committed ?? (work.Blocked is null ? null : _model._retries[(int)work.Offset].Committed), stamp.Finished,
                        IsRedriven: work.Blocked is not null && _model._retries[(int)work.Offset].IsRedriven);
            work.Published = published;
        }

        // Written first, acknowledged later: or written twice, where the first answer is lost.
        private void Publish(Work work)
        {
            if (!work.IsWritten)
            {
                work.WrittenAt = _model.Append(work.Publishing!);
                if (_model._retries.Count % 11 == 5)
                {
                    _model.Say("the answer is lost");
                    return;
                }

                work.IsWritten = true;
                return;
            }

            if (work.Publishing is { IsKeyCheckpoint: false, IsRedriven: false })
            {
                _blockedKeys.OnForwarded(Encoding.UTF8.GetBytes(work.Key), work.Publishing.Origin, work.WrittenAt);
            }

            work.Publishing = null;
            work.Published!();
        }

        private void RepublishAll(List<Narad.Kafka.Failures.DelayedRetry> retries)
        {
            foreach (var retry in retries)
            {
                var copy = _model._retries[(int)retry.Offset];
                var stamp = _blockedKeys.StampFor(Encoding.UTF8.GetBytes(copy.Key));
                var work = new Work(copy.Key, retry.Offset,
                    retry.Sequence) { Publishing = copy with { Writer = _writer, Committed = stamp.Committed ?? copy.Committed, Finished = stamp.Finished } };
                work.Published = () =>
                {
                    _republishes.Remove(work);
                    _finished.Add((false, work));
                };
                _republishes.Add(work);
            }
        }

        private void PublishRepublished()
        {
            while (_republishes.Count > 0)
            {
                Publish(_republishes[0]);
            }
        }

        private void Start()
        {
            foreach (var due in _blockedKeys.TakeDue(_model._now, 16))
            {
                var copy = _model._retries[(int)due.Offset];
                QueueOf(_retryQueues, copy.Key).Enqueue(new Work(copy.Key, due.Offset, due.Sequence));
            }
        }

        private void Finish(bool isSource, Queue<Work> queue) => _finished.Add((isSource, queue.Dequeue()));

        private void Settle(long arrival)
        {
            _retryTracker.Finish(arrival);
            _blockedKeys.AllFinishedBelow(_retryTracker.LowestUnfinished ?? _retryTracker.Next ?? 0);
        }

        private bool Fails(long origin)
        {
            if (_model._failuresLeft[origin] == 0)
            {
                return false;
            }

            _model._failuresLeft[origin]--;
            return true;
        }

        private static Queue<Work> QueueOf(SortedDictionary<string, Queue<Work>> queues, string key)
        {
            if (!queues.TryGetValue(key, out var queue))
            {
                queues.Add(key, queue = new Queue<Work>());
            }

            return queue;
        }
    }
}
