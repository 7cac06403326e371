using System.Collections.Immutable;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Narad.Kafka.Consuming;

/// <summary>
/// One topic (or pattern) of a group, with its handler and its key queues. What it shows is a snapshot that the poll thread publishes; what it is asked to do
/// it passes to the poll thread. Its public properties are those of <see cref="ISubscription"/>, so that an endpoint may return it as JSON. Thread-safe.
/// </summary>
internal class Subscription : ISubscription
{
    private readonly ConsumerGroup _group;
    private readonly Regex? _pattern;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Written under _moving by the poll thread, the topic check and the stopper; read by anybody.
    private readonly Lock _moving = new();
    private volatile SubscriptionState _state = SubscriptionState.Joining;
    private volatile Exception? _fault;
    private volatile IReadOnlyList<AssignedPartition> _partitions = [];   // never changed once it is here
    private ImmutableArray<TopicPartitionId> _assignment = [];
    private ImmutableArray<StoppedPartition> _stopped = [];
    private ImmutableArray<TopicPartitionId> _paused = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _ending;
    private ImmutableList<Subscription> _retries = [];
    private readonly TimeProvider _time;
    private long _since;     // written under _moving

    public Subscription(ConsumerGroup group, SubscriptionSettings settings, HandlerPipeline pipeline, TimeProvider time)
    {
        _group = group;
        _time = time;
        _since = time.GetTimestamp();
        Settings = settings;
        _pattern = settings.IsPattern ? TopicPattern.Of(settings.Topic) : null;
        KeyQueues = new KeyQueueScheduler(settings.Parallelism, settings.Order, pipeline.Batch, time, pipeline, group.Completed, group.OnHandlerFailed,
            settings.Circuit);
    }

    internal SubscriptionSettings Settings { get; }

    internal KeyQueueScheduler KeyQueues { get; }

    public string Topic => Settings.Topic;

    public string Group => _group.Name;

    public SubscriptionState State => _state;

    /// <summary>How long it has been in its state.</summary>
    internal TimeSpan StateAge => _time.GetElapsedTime(Volatile.Read(ref _since));

    [JsonConverter(typeof(KafkaJsonConverter))]
    public Exception? Error => _fault;

    public IReadOnlyList<TopicPartitionId> Assignment => _assignment;

    public IReadOnlyList<StoppedPartition> StoppedPartitions => _stopped;

    // The poll thread writes what is read here, one number at a time.
    public long BufferedMessages => _partitions.Sum(static partition => (long)partition.BufferedMessages)
        + _retries.Sum(static retries => retries.BufferedMessages);

    public CircuitState CircuitState => Settings.Circuit?.State ?? CircuitState.Closed;

    public IReadOnlyList<TopicPartitionId> PausedPartitions => _paused;

    /// <summary>What was paused by name. Poll thread only.</summary>
    internal PausedByName PausedByName { get; } = new();

    /// <summary>Whether its topic may be missing for ever: a retry topic that only redriven dead letters come through.</summary>
    internal bool IsOptional => Settings is { Retries: not null, FailureTopics.TopicPolicy: null };

    /// <summary>Whether it was told to end: its topic is not read any more.</summary>
    internal bool IsEnding => _ending;

    /// <summary>Completes when the group was joined or the topic was found missing.</summary>
    internal Task Ready => _ready.Task;

    /// <summary>
    /// Sees to the retry and dead-letter topics of a source that a pattern found; null where there are none to see to, or the source was named.
    /// </summary>
    internal Action<string>? Found { get; init; }

    /// <summary>The subscriptions to its retry topics; written while it runs where a pattern finds topics.</summary>
    internal ImmutableList<Subscription> OfRetryTopics => _retries;

    public IReadOnlyList<ISubscription> RetrySubscriptions => _retries;

    public void AddRetries(Subscription retries) => ImmutableInterlocked.Update(ref _retries, static (all, added) => all.Add(added), retries);

    public void RemoveRetries(Subscription retries) => ImmutableInterlocked.Update(ref _retries, static (all, removed) => all.Remove(removed), retries);

    /// <summary>Whether a pattern found a topic that records of failed messages go to.</summary>
    public bool IsFailureTopic(string topic) => _pattern is not null && Settings.FailureTopics?.IsFailureTopic(topic) is true;

    public bool Covers(string topic) => _pattern is null ? string.Equals(topic, Settings.Topic, StringComparison.Ordinal) : _pattern.IsMatch(topic);

    public async Task PauseAllAsync(CancellationToken cancellationToken = default)
    {
        await _group.AskAsync(control => control.Pause(this), cancellationToken).ConfigureAwait(false);
        foreach (var retries in _retries)
        {
            await retries.PauseAllAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public Task<bool> PauseAsync(TopicPartitionId partition, CancellationToken cancellationToken = default) =>
        _group.AskAsync(control => control.Pause(this, partition), none: false, remembered: true, cancellationToken);

    public async Task ResumeAllAsync(CancellationToken cancellationToken = default)
    {
        await _group.AskAsync(control => control.Resume(this), cancellationToken).ConfigureAwait(false);
        foreach (var retries in _retries)
        {
            await retries.ResumeAllAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public Task<bool> ResumeAsync(TopicPartitionId partition, CancellationToken cancellationToken = default) =>
        _group.AskAsync(control => control.Resume(this, partition, skipFirst: false), none: false, remembered: true, cancellationToken);

    public Task<bool> SkipFailedMessageAsync(TopicPartitionId partition, CancellationToken cancellationToken = default) =>
        _group.AskAsync(control => control.Resume(this, partition, skipFirst: true), none: false, remembered: false, cancellationToken);

    public Task<bool> SeekAsync(TopicPartitionId partition, long offset, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return _group.AskAsync(control => control.Seek(this, partition, offset), none: false, remembered: false, cancellationToken);
    }

    // Kafka counts time from 1970. To the client a millisecond before that is its word for "the end".
    public Task<IReadOnlyDictionary<TopicPartitionId, long>> SeekAsync(DateTimeOffset time, CancellationToken cancellationToken = default) =>
        time < DateTimeOffset.UnixEpoch
            ? SeekToBeginningAsync(cancellationToken)
            : _group.Mode is KafkaMode.Embedded
            ? throw new NotSupportedException("The embedded broker does not find offsets by time: it would answer that there is none, and everything "
                + "would be left out. Seek to an offset, or call SeekToBeginningAsync.")
            : _group.AskAsync(control => control.Seek(this, time), ImmutableDictionary<TopicPartitionId, long>.Empty, remembered: false, cancellationToken);

    public Task<IReadOnlyDictionary<TopicPartitionId, long>> SeekToBeginningAsync(CancellationToken cancellationToken = default) =>
        _group.AskAsync(control => control.Replay(this), ImmutableDictionary<TopicPartitionId, long>.Empty, remembered: false, cancellationToken);

    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        if (_state is SubscriptionState.Ended)
        {
            return;
        }

        _ending = true;
        KeyQueues.Close();
        _group.Remove(this);
        await _ended.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        foreach (var retries in _retries)
        {
            await retries.StopAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public virtual void MoveTo(SubscriptionState state, Exception? fault = null)
    {
        lock (_moving)
        {
            if (_state is SubscriptionState.Faulted or SubscriptionState.Ended)
            {
                return;
            }

            if (_state != state)
            {
                Volatile.Write(ref _since, _time.GetTimestamp());
            }

            _fault = fault;
            _state = state;
        }

        if (state is SubscriptionState.Faulted or SubscriptionState.Ended)
        {
            Settings.Circuit?.Remove(KeyQueues);
            _ended.TrySetResult();
            _ready.TrySetException(fault ?? new KafkaNotConnectedException(
                $"Kafka is not connected any more: the service was disconnected before group '{Group}' had joined for '{Topic}'."));
            _ = _ready.Task.Exception;   // observed: nobody may be waiting
        }
        else if (state is not SubscriptionState.Joining)
        {
            _ready.TrySetResult();
        }
    }

    /// <summary>For a pattern: says that no topic matches it, where it has not been joined meanwhile; the group's join moves it on.</summary>
    public bool MissWhileJoining()
    {
        lock (_moving)
        {
            if (_state is not SubscriptionState.Joining)
            {
                return false;
            }

            MoveTo(SubscriptionState.TopicMissing);
            return true;
        }
    }

    public void Show(IReadOnlyList<AssignedPartition> partitions, ImmutableArray<TopicPartitionId> assignment, ImmutableArray<StoppedPartition> stopped,
        ImmutableArray<TopicPartitionId> paused)
    {
        _partitions = partitions;
        ImmutableInterlocked.InterlockedExchange(ref _assignment, assignment);
        ImmutableInterlocked.InterlockedExchange(ref _stopped, stopped);
        ImmutableInterlocked.InterlockedExchange(ref _paused, paused);
    }
}
