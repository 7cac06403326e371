using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Narad.Kafka.Consuming;

/// <summary>
/// One topic (or pattern) of a group, with its handler and its lanes. What it shows is a snapshot that the poll thread publishes; what it is
/// asked to do it passes to the poll thread. Thread-safe.
/// </summary>
internal sealed class Subscription : ISubscription
{
    private readonly ConsumerGroup _group;
    private readonly Regex? _pattern;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Written under _moving by the poll thread, the topic check and the stopper; read by anybody.
    private readonly Lock _moving = new();
    private volatile SubscriptionState _state = SubscriptionState.Joining;
    private volatile Exception? _fault;
    private ImmutableArray<TopicPartitionId> _assignment = [];
    private ImmutableArray<StoppedPartition> _stopped = [];

    public Subscription(ConsumerGroup group, SubscriptionSettings settings, HandlerPipeline pipeline, bool batches, TimeProvider time)
    {
        _group = group;
        Settings = settings;
        _pattern = settings.IsPattern ? TopicPattern.Of(settings.Topic) : null;
        Lanes = new LaneScheduler(settings.Parallelism, settings.Order, batches ? settings.Batch : null, time, pipeline, group.Completed, group.OnHandlerFailed);
    }

    public SubscriptionSettings Settings { get; }

    public LaneScheduler Lanes { get; }

    public string Topic => Settings.Topic;

    public string Group => Settings.Group;

    public SubscriptionState State => _state;

    public Exception? Fault => _fault;

    public IReadOnlyList<TopicPartitionId> Assignment => _assignment;

    public IReadOnlyList<StoppedPartition> Stopped => _stopped;

    /// <summary>Completes when the group was joined or the topic was found missing.</summary>
    public Task Ready => _ready.Task;

    public bool Covers(string topic) => _pattern is null ? string.Equals(topic, Settings.Topic, StringComparison.Ordinal) : _pattern.IsMatch(topic);

    public Task<bool> ResumeAsync(TopicPartitionId partition, CancellationToken cancellationToken = default) =>
        _group.AskAsync(() => _group.Resume(this, partition, skipFirst: false), cancellationToken);

    public Task<bool> SkipOnceAsync(TopicPartitionId partition, CancellationToken cancellationToken = default) =>
        _group.AskAsync(() => _group.Resume(this, partition, skipFirst: true), cancellationToken);

    public void MoveTo(SubscriptionState state, Exception? fault = null)
    {
        lock (_moving)
        {
            if (_state is SubscriptionState.Faulted or SubscriptionState.Ended)
            {
                return;
            }

            _fault = fault;
            _state = state;
        }

        if (state is SubscriptionState.Faulted or SubscriptionState.Ended)
        {
            _ready.TrySetException(fault ?? new KafkaNotConnectedException($"Kafka is not connected any more: the service was disconnected before group '{Group}' had joined for '{Topic}'."));
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

    public void Show(ImmutableArray<TopicPartitionId> assignment, ImmutableArray<StoppedPartition> stopped)
    {
        ImmutableInterlocked.InterlockedExchange(ref _assignment, assignment);
        ImmutableInterlocked.InterlockedExchange(ref _stopped, stopped);
    }
}
