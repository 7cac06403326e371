using System.Collections.Concurrent;
using System.Globalization;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>The offsets that a group has committed, one for each partition asked for.</summary>
internal delegate Task<IReadOnlyList<TopicPartitionOffset>> ReadCommitted(
    string group, IReadOnlyList<TopicPartition> partitions, CancellationToken cancellationToken);

/// <summary>
/// Keeps the embedded broker from dropping what no group has committed: it holds 5 MiB or 100,000 batches a partition, so a topic's sends in
/// flight and its fullest partition's uncommitted messages together stay below 4 MiB and 80,000 messages. (One batch, 1 MB at most, is
/// dropped as a whole: 4 MiB of what is newest is always kept.) A larger message passes alone. What groups of other processes have not
/// committed it does not know.
/// </summary>
/// <remarks>
/// Thread-safe. Each topic has a lock, held for a few additions. Committed offsets are read in a loop of its own, which runs only while
/// somebody waits or a topic is more than half full. Messages are remembered in chunks, so that a message costs no allocation.
/// </remarks>
internal sealed class EmbeddedBackpressure : ISendBackpressure, IAsyncDisposable
{
    /// <summary>What may be uncommitted or in flight, bytes.</summary>
    public const long LimitBytes = 4 * 1024 * 1024;

    /// <summary>What may be uncommitted or in flight, messages: each may be a batch of its own.</summary>
    public const long LimitMessages = 80_000;

    /// <summary>What a message costs in the broker beside its own bytes, where it is a batch of its own.</summary>
    public const int Overhead = 100;

    private static readonly TimeSpan ReadInterval = TimeSpan.FromMilliseconds(25);

    private readonly ConcurrentDictionary<string, TopicBackpressure> _topics = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Func<TopicPartition, long?>> _finished = new(StringComparer.Ordinal);     // of those that commit nothing
    private readonly ReadCommitted _committed;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _disposing = new();
    private readonly Lock _lock = new();
    private bool _disposed;                       // guarded by _lock
    private Task _reading = Task.CompletedTask;   // guarded by _lock
    private bool _wanted;                         // guarded by _lock: the loop takes it before it ends, so no wish is lost

    public EmbeddedBackpressure(ReadCommitted committed, TimeProvider time, ILogger logger)
    {
        _committed = committed;
        _time = time;
        _logger = logger;
    }

    public bool TryEnter(string topic, int bytes) => Of(topic).TryEnter(bytes + Overhead);

    public Task WaitAsync(string topic, CancellationToken cancellationToken)
    {
        var room = Of(topic).NextRoom();
        Read();
        return room.Observe().WaitAsync(cancellationToken);
    }

    public string Describe(string topic) => Of(topic).Describe();

    public void Acknowledged(string topic, int partition, long offset, int bytes)
    {
        if (Of(topic).Acknowledged(partition, offset, bytes + Overhead))
        {
            Read();
        }
    }

    public void Failed(string topic, int bytes) => Of(topic).Failed(bytes + Overhead);

    public void GroupReads(string group, string topic, Func<TopicPartition, long?>? finished = null)
    {
        if (finished is not null)
        {
            _finished[group] = finished;
        }

        if (Of(topic).Add(group))
        {
            Read();
        }
    }

    /// <summary>A topic was deleted, with what it held.</summary>
    public void Deleted(string topic) => Of(topic).Forget();

    /// <summary>What a partition held below an offset was deleted; who waits for room finds it at the next round.</summary>
    public void Deleted(string topic, int partition, long before) => Of(topic).Committed(new Dictionary<int, long> { [partition] = before });

    /// <summary>Ends the reading; who still waits gets an <see cref="ObjectDisposedException"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        Task reading;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            reading = _reading;
        }

        await _disposing.CancelAsync().ConfigureAwait(false);
        await reading.ConfigureAwait(false);
        _disposing.Dispose();
        foreach (var topic in _topics.Values)
        {
            topic.Close();
        }
    }

    private TopicBackpressure Of(string topic) =>
        _topics.TryGetValue(topic, out var backpressure) ? backpressure : _topics.GetOrAdd(topic, static name => new TopicBackpressure(name));

    private void Read()
    {
        lock (_lock)
        {
            _wanted = true;
            if (_reading.IsCompleted && !_disposed)
            {
                _reading = Task.Run(ReadAsync);
            }
        }
    }

    private async Task ReadAsync()
    {
        while (true)
        {
            lock (_lock)
            {
                if (_disposed || !_wanted)
                {
                    _reading = Task.CompletedTask;
                    return;
                }

                _wanted = false;
            }

            var needed = false;
            foreach (var topic in _topics.Values)
            {
                if (topic.NeedsReading)
                {
                    needed = true;
                    await ReadAsync(topic).ConfigureAwait(false);
                    topic.Wake();
                }
            }

            if (needed)
            {
                try
                {
                    await Task.Delay(ReadInterval, _time, _disposing.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    continue;
                }

                lock (_lock)
                {
                    _wanted = true;
                }
            }
        }
    }

    private async Task ReadAsync(TopicBackpressure topic)
    {
        var (groups, partitions) = topic.Uncommitted();
        if (groups.Length == 0 || partitions.Count == 0)
        {
            return;
        }

        // The offset that every group has committed; a partition that one of them has not begun stays at 0.
        var lowest = partitions.ToDictionary(partition => partition.Partition.Value, _ => long.MaxValue);
        try
        {
            foreach (var group in groups)
            {
                if (_finished.TryGetValue(group, out var finished))
                {
                    foreach (var partition in partitions)
                    {
                        lowest[partition.Partition.Value] = Math.Min(lowest[partition.Partition.Value], finished(partition) ?? long.MaxValue);
                    }

                    continue;
                }

                foreach (var offset in await _committed(group, partitions, _disposing.Token).ConfigureAwait(false))
                {
                    lowest[offset.Partition.Value] = Math.Min(lowest[offset.Partition.Value], Math.Max(0, offset.Offset.Value));
                }
            }
        }
        catch (Exception failure) when (failure is KafkaException or TimeoutException or ObjectDisposedException or OperationCanceledException)
        {
            TransportLog.CommittedNotRead(_logger, topic.Name, failure.Message);   // the next round asks again
            return;
        }

        topic.Committed(lowest);
    }

    /// <summary>One topic. Thread-safe: everything under its lock.</summary>
    private sealed class TopicBackpressure(string name)
    {
        private readonly Lock _lock = new();
        private readonly List<Backlog> _partitions = [];
        private string[] _groups = [];
        private long _inFlightBytes;
        private long _inFlightMessages;
        private long _backlogBytes;      // of the fullest partition
        private long _backlogMessages;   // of the fullest partition
        private long _refused = long.MaxValue;   // the smallest refused since somebody was last woken; MaxValue: none
        private TaskCompletionSource? _room;
        private bool _closed;

        public string Name => name;

        public bool NeedsReading
        {
            get
            {
                lock (_lock)
                {
                    return _room is not null || (IsHalfFull && _groups.Length > 0);
                }
            }
        }

        private bool IsHalfFull => _backlogBytes > LimitBytes / 2 || _backlogMessages > LimitMessages / 2;

        public bool TryEnter(long cost)
        {
            lock (_lock)
            {
                if (!Admits(cost))
                {
                    _refused = Math.Min(_refused, cost);
                    return false;
                }

                _inFlightBytes += cost;
                _inFlightMessages++;
                return true;
            }
        }

        /// <summary>Completes when there is room: when acknowledgements freed a quarter at once, or at the next round of reading.</summary>
        public Task NextRoom()
        {
            lock (_lock)
            {
                return _closed ? Task.FromException(Closed()) : (_room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
        }

        /// <summary>Moves a send from flight to backlog.</summary>
        /// <returns>Whether committed offsets should be read.</returns>
        public bool Acknowledged(int partition, long offset, long cost)
        {
            lock (_lock)
            {
                while (_partitions.Count <= partition)
                {
                    _partitions.Add(new Backlog());
                }

                var backlog = _partitions[partition];
                backlog.Add(offset, cost);
                _backlogBytes = Math.Max(_backlogBytes, backlog.Bytes);
                _backlogMessages = Math.Max(_backlogMessages, backlog.Messages);
                Leave(cost);
                return IsHalfFull;
            }
        }

        public void Failed(long cost)
        {
            lock (_lock)
            {
                Leave(cost);
            }
        }

        /// <summary>Counts what this group has not committed from now on.</summary>
        /// <returns>Whether committed offsets should be read.</returns>
        public bool Add(string group)
        {
            lock (_lock)
            {
                if (!_groups.Contains(group, StringComparer.Ordinal))
                {
                    _groups = [.. _groups, group];
                }

                return IsHalfFull;
            }
        }

        public void Forget()
        {
            lock (_lock)
            {
                _partitions.Clear();
                Measure();
            }
        }

        public (string[] Groups, List<TopicPartition> Partitions) Uncommitted()
        {
            lock (_lock)
            {
                var partitions = new List<TopicPartition>();
                for (var i = 0; i < _partitions.Count; i++)
                {
                    if (_partitions[i].Messages > 0)
                    {
                        partitions.Add(new TopicPartition(name, i));
                    }
                }

                return (_groups, partitions);
            }
        }

        public void Committed(Dictionary<int, long> offsets)
        {
            lock (_lock)
            {
                foreach (var (partition, offset) in offsets)
                {
                    if (partition < _partitions.Count && offset != long.MaxValue)
                    {
                        _partitions[partition].Release(offset);
                    }
                }

                Measure();
            }
        }

        /// <summary>Lets who waits try again where the smallest of what was refused would be admitted; a larger one is refused again.</summary>
        public void Wake()
        {
            lock (_lock)
            {
                if (Admits(_refused == long.MaxValue ? 1 : _refused))   // refused before the others were woken, waiting since after it
                {
                    Open();
                }
            }
        }

        public void Close()
        {
            lock (_lock)
            {
                _closed = true;
                _room?.TrySetException(Closed());
                _room = null;
            }
        }

        public string Describe()
        {
            lock (_lock)
            {
                var held = string.Create(CultureInfo.InvariantCulture,
                    $"the embedded broker keeps 5 MiB a partition and drops the oldest beyond, so sends to topic {name} wait while {_backlogMessages} "
                        + $"messages ({_backlogBytes / 1024.0:0} KiB) of its fullest partition are not committed");
                return _groups.Length == 0
                    ? $"{held}, and no group in this process reads it: subscribe to it, or use a real broker for what nobody reads"
                    : $"{held} by {(_groups.Length == 1 ? "group" : "groups")} {string.Join(", ", _groups)}: look for a slow handler, a stopped partition or "
                        + "a group that does not run";
            }
        }

        // The fullest partition may be any send's: which one is known only when it was acknowledged.
        private bool Admits(long cost) =>
            (_inFlightBytes + _backlogBytes + cost <= LimitBytes && _inFlightMessages + _backlogMessages < LimitMessages)
            || (_inFlightMessages == 0 && _backlogMessages == 0);

        private void Leave(long cost)
        {
            _inFlightBytes -= cost;
            _inFlightMessages--;
            if (_room is not null && Admits(LimitBytes / 4))
            {
                Open();
            }
        }

        private void Measure()
        {
            _backlogBytes = 0;
            _backlogMessages = 0;
            foreach (var backlog in _partitions)
            {
                _backlogBytes = Math.Max(_backlogBytes, backlog.Bytes);
                _backlogMessages = Math.Max(_backlogMessages, backlog.Messages);
            }
        }

        private static ObjectDisposedException Closed() =>
            new(nameof(EmbeddedBackpressure), "The embedded broker was disposed, and a send waited for room in it.");

        private void Open()
        {
            _room?.TrySetResult();
            _room = null;
            _refused = long.MaxValue;
        }
    }

    /// <summary>
    /// What one partition holds uncommitted, in chunks of 16 KiB or 500 messages; a chunk is released as a whole. Guarded by its topic's lock.
    /// </summary>
    private sealed class Backlog
    {
        private const long ChunkBytes = 16 * 1024;
        private const long ChunkMessages = 500;

        private readonly Queue<Chunk> _chunks = new();
        private Chunk? _last;

        public long Bytes { get; private set; }

        public long Messages { get; private set; }

        public void Add(long offset, long cost)
        {
            if (_last is null || _last.Bytes >= ChunkBytes || _last.Messages >= ChunkMessages)
            {
                _last = new Chunk();
                _chunks.Enqueue(_last);
            }

            _last.HighestOffset = Math.Max(_last.HighestOffset, offset);   // reports may overtake each other
            _last.Bytes += cost;
            _last.Messages++;
            Bytes += cost;
            Messages++;
        }

        /// <summary>Releases what is below a committed offset, as far as it is a whole chunk.</summary>
        public void Release(long committed)
        {
            while (_chunks.TryPeek(out var chunk) && chunk.HighestOffset < committed)
            {
                _chunks.Dequeue();
                Bytes -= chunk.Bytes;
                Messages -= chunk.Messages;
                if (_chunks.Count == 0)
                {
                    _last = null;
                }
            }
        }

        private sealed class Chunk
        {
            public long HighestOffset = -1;
            public long Bytes;
            public long Messages;
        }
    }
}
