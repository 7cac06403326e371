using Confluent.Kafka;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Failures;

/// <summary>
/// Reads messages of retry topics a second time, when they are due: with a client of its own, which joins no group and commits nothing, from the offsets
/// that are wanted. It never decides when; what it reads it hands over at once.
/// </summary>
/// <remarks>
/// Single-threaded: poll thread only. It never waits for a broker: a partition is assigned at the first offset that is wanted, read forward (over what lies in
/// between, where that is little), and unassigned when there is nothing more to read or no room for it.
/// </remarks>
internal sealed class RetryReader(ITransport transport, string group, ClientLog log, TimeProvider time, Action<Error> refused)
{
    // Reading over messages costs less than beginning anew somewhere else, up to here.
    private const long LongestGap = 1_000;

    private static readonly Error Died = new(ErrorCode.Local_Destroy, "The client that reads retry topics died; another one is built.");

    private readonly Dictionary<TopicPartition, Run> _runs = [];
    private readonly ClientDeaths _deaths = new(time);
    private IConsumer<byte[]?, byte[]?>? _client;
    private long _built;
    private volatile Error? _fatal;     // set by the client's callback, which runs on the poll thread too

    /// <summary>A message that was wanted, and whether it is to be moved instead of handled.</summary>
    public delegate void Deliver(AssignedPartition partition, in ReceivedMessage message, in DelayedRetry retry, bool republish);

    /// <summary>Messages that are wanted and were not read yet.</summary>
    public int Wanted => _runs.Values.Sum(static run => run.All);

    /// <summary>When about the first of them was due, in milliseconds since 1970; <see cref="long.MaxValue"/> where none is wanted.</summary>
    public long NextDue => _runs.Values.Where(static run => run.Left > 0).Select(static run => run.Next.Retry.Due).DefaultIfEmpty(long.MaxValue).Min();

    /// <summary>When the first message that is wanted of a partition was due, in milliseconds since 1970; <see cref="long.MaxValue"/> where none is.</summary>
    public long NextDueOf(AssignedPartition partition) => _runs.TryGetValue(partition.Partition, out var run) && run.Left > 0 ? run.Next.Retry.Due
        : long.MaxValue;

    /// <summary>Wants messages of a partition, in the order of their offsets.</summary>
    public void Want(AssignedPartition partition, List<DelayedRetry> retries, bool republish)
    {
        if (retries.Count == 0)
        {
            return;
        }

        if (!_runs.TryGetValue(partition.Partition, out var run) || !ReferenceEquals(run.Partition, partition))
        {
            if (run is not null)
            {
                Stop(run);
            }

            run = _runs[partition.Partition] = new Run(partition);
        }

        run.Add(retries, republish);
    }

    /// <summary>
    /// What is wanted of a partition is to be moved instead of handled, or not wanted any more where it <paramref name="stays"/>; returns by how much
    /// more, or less, is to be moved.
    /// </summary>
    public int RepublishInstead(AssignedPartition partition, Predicate<long> stays)
    {
        if (!_runs.TryGetValue(partition.Partition, out var run) || !ReferenceEquals(run.Partition, partition))
        {
            return 0;
        }

        var more = run.RepublishInstead(stays);
        if (run.Left == 0)
        {
            End(run);
        }

        return more;
    }

    /// <summary>Nothing of a partition is wanted any more.</summary>
    public void Forget(AssignedPartition partition)
    {
        if (_runs.TryGetValue(partition.Partition, out var run) && ReferenceEquals(run.Partition, partition))
        {
            End(run);
        }
    }

    /// <summary>Reads some of what is wanted.</summary>
    /// <param name="most">How many messages at most, those that are read over included.</param>
    /// <param name="isCurrent">Whether a partition is ours still.</param>
    /// <param name="hasRoom">Whether another message of a partition fits into memory.</param>
    /// <param name="deliver">Takes what was wanted.</param>
    /// <param name="gone">Takes what is not in the topic any more, and whether it was to be moved.</param>
    /// <returns>Whether there was anything.</returns>
    public bool Turn(int most, Func<AssignedPartition, bool> isCurrent, Func<AssignedPartition, bool> hasRoom, Deliver deliver, Action<AssignedPartition,
        DelayedRetry, bool> gone)
    {
        if (_fatal is { } fatal)
        {
            Abandon(fatal);
        }

        foreach (var run in _runs.Values.Where(run => !isCurrent(run.Partition)).ToList())
        {
            End(run);
        }

        if (_runs.Count == 0)
        {
            return false;
        }

        var starting = _runs.Values.Where(run => !run.IsReading && hasRoom(run.Partition)).ToList();
        if (starting.Count > 0)
        {
            Start(starting);
        }

        var read = 0;
        for (; read < most && _client is not null && TryRead(out var result); read++)
        {
            if (!_runs.TryGetValue(result.TopicPartition, out var run) || !run.IsReading)
            {
                continue;   // of a run that ended
            }

            while (run.Left > 0 && run.Next.Retry.Offset < result.Offset.Value)
            {
                var (missed, moved) = run.Take();
                gone(run.Partition, missed, moved);
            }

            if (!result.IsPartitionEOF && run.Left > 0 && run.Next.Retry.Offset == result.Offset.Value)
            {
                var (retry, republish) = run.Take();
                deliver(run.Partition, ClientMessages.Of(result), retry, republish);
            }

            Continue(run, result.Offset.Value, hasRoom);
        }

        return read > 0;
    }

    /// <summary>Serves what the client has to say while nothing is wanted.</summary>
    public void Idle()
    {
        if (_client is not null && _runs.Count == 0)
        {
            TryRead(out _);
        }
    }

    /// <summary>Forgets everything; the client is closed behind our back.</summary>
    public void Close()
    {
        _runs.Clear();
        if (_client is { } client)
        {
            _client = null;
            DisposeLater(client);
        }
    }

    private bool TryRead(out ConsumeResult<byte[]?, byte[]?> result)
    {
        try
        {
            result = _client!.Consume(TimeSpan.Zero)!;
            return result is not null;
        }
        catch (KafkaException error)
        {
            // It says so and continues by itself, or it is fatal.
            OnError(error.Error);
        }
        catch (ObjectDisposedException)
        {
            Abandon(Died);
        }

        result = null!;
        return false;
    }

    // Behind a message: on to the next one that is wanted, wherever it is.
    private void Continue(Run run, long offset, Func<AssignedPartition, bool> hasRoom)
    {
        if (run.Left == 0)
        {
            run.TakeLate();
        }

        if (run.Left == 0)
        {
            End(run);
        }
        else if (run.Next.Retry.Offset <= offset || run.Next.Retry.Offset > offset + LongestGap || !hasRoom(run.Partition))
        {
            Stop(run);   // starts again in a next turn
        }
    }

    private void End(Run run)
    {
        _runs.Remove(run.Partition.Partition);
        Stop(run);
    }

    private void Start(List<Run> runs)
    {
        if (_client is null && _deaths.Wait > TimeSpan.Zero)
        {
            return;   // tried again in the next turn
        }

        try
        {
            _client ??= Build();
            _client.IncrementalAssign(runs.ConvertAll(static run => new TopicPartitionOffset(run.Partition.Partition, run.Next.Retry.Offset)));
            runs.ForEach(static run => run.IsReading = true);
        }
        catch (KafkaException error)
        {
            OnError(error.Error);   // tried again in the next turn
        }
        catch (ObjectDisposedException)
        {
            Abandon(Died);
        }
    }

    private void Stop(Run run)
    {
        if (!run.IsReading || _client is null)
        {
            return;
        }

        run.IsReading = false;
        try
        {
            _client.IncrementalUnassign([run.Partition.Partition]);
            _client.AwaitStops();
        }
        catch (KafkaException error)
        {
            Abandon(error.Error);   // what it reads is unknown now
        }
        catch (ObjectDisposedException)
        {
            Abandon(Died);
        }
    }

    private IConsumer<byte[]?, byte[]?> Build()
    {
        var secrets = transport.Clients.Secrets;
        var client = new ConsumerBuilder<byte[]?, byte[]?>(transport.Clients.Reader(group))
            .SetKeyDeserializer(Deserializers.ByteArray!)
            .SetValueDeserializer(Deserializers.ByteArray!)
            .SetErrorHandler((_, error) => OnError(secrets.Hide(error)))
            .SetLogHandler((_, message) => Log(message))
            .Build();
        transport.Tokens?.Add(client);
        _built = time.GetTimestamp();
        return client;
    }

    // That an offset is not there any more shows by what is read instead, and is said then: the client's word for it, a reset, is another thing to who
    // reads the log.
    private void Log(LogMessage message)
    {
        if (!string.Equals(message.Facility, "OFFSET", StringComparison.Ordinal))
        {
            log.Write(message);
        }
    }

    private void DisposeLater(IConsumer<byte[]?, byte[]?> client)
    {
        transport.Tokens?.Remove(client);
        Task.Run(client.Dispose).Forget();
    }

    private void OnError(Error error)
    {
        if (error.IsFatal)
        {
            _fatal = error;
        }
        else
        {
            refused(error);
        }
    }

    // Another client reads on.
    private void Abandon(Error error)
    {
        _fatal = null;
        refused(error);
        _deaths.Add(_built);
        foreach (var run in _runs.Values)
        {
            run.IsReading = false;
        }

        if (_client is { } client)
        {
            _client = null;
            DisposeLater(client);
        }
    }

    /// <summary>What is wanted of one partition: in the order of the offsets; what is wanted meanwhile comes after that.</summary>
    private sealed class Run(AssignedPartition partition)
    {
        private List<(DelayedRetry Retry, bool Republish)> _wanted = [];
        private List<(DelayedRetry Retry, bool Republish)> _late = [];
        private int _next;

        public AssignedPartition Partition => partition;

        public bool IsReading { get; set; }

        /// <summary>Of those in order.</summary>
        public int Left => _wanted.Count - _next;

        public int All => Left + _late.Count;

        public (DelayedRetry Retry, bool Republish) Next => _wanted[_next];

        public (DelayedRetry Retry, bool Republish) Take() => _wanted[_next++];

        public void Add(List<DelayedRetry> retries, bool republish)
        {
            foreach (var retry in retries)
            {
                _late.Add((retry, republish));
            }

            if (Left == 0)
            {
                TakeLate();
            }
        }

        /// <summary>Returns how many were to be handled.</summary>
        public int RepublishInstead(Predicate<long> stays)
        {
            var before = Moving();
            _wanted.RemoveRange(0, _next);
            _next = 0;
            foreach (var entries in (List<(DelayedRetry Retry, bool Republish)>[])[_wanted, _late])
            {
                entries.RemoveAll(entry => stays(entry.Retry.Offset));
                for (var i = 0; i < entries.Count; i++)
                {
                    entries[i] = (entries[i].Retry, Republish: true);
                }
            }

            if (_wanted.Count == 0)
            {
                TakeLate();
            }

            return Moving() - before;

            int Moving() => _wanted.Skip(_next).Concat(_late).Count(static entry => entry.Republish);
        }

        public void TakeLate()
        {
            (_wanted, _late) = (_late, _wanted);
            _late.Clear();
            _next = 0;
            _wanted.Sort(static (a, b) => a.Retry.Offset.CompareTo(b.Retry.Offset));
        }
    }
}
