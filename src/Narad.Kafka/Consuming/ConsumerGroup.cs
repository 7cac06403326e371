using System.Collections.Concurrent;
using System.Collections.ObjectModel;
using System.Runtime.ExceptionServices;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Topics;
using Narad.Kafka.Transactions;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Consuming;

/// <summary>
/// One consumer group of this process: its subscriptions, and the <see cref="PollLoop"/> that serves them all through one client. It starts
/// the loop when the first of its topics exists and tells it when another one does. Thread-safe.
/// </summary>
internal sealed class ConsumerGroup
{
    private static readonly TimeSpan TopicCheckInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan OptionalCheckInterval = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan UnmatchedAfter = TimeSpan.FromSeconds(4);
    private const string LookForTopics = "looking for topics";

    private readonly ITransport _transport;
    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly List<Subscription> _subscriptions = [];
    private readonly HashSet<string> _reserved = new(StringComparer.Ordinal);
    private readonly HashSet<Subscription> _unseen = [];    // their topics were not found yet
    private readonly ConcurrentQueue<Action> _commands = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Action<Exception, bool> _faulted;
    private int _looks;                                     // first looks that continue
    private HashSet<string> _told = [];                     // what the client was last told to read
    private Task _topicCheck = Task.CompletedTask;
    private Task _watching = Task.CompletedTask;
    private volatile TopicWatch? _watch;
    private Task<IReadOnlyList<string>>? _stop;
    private volatile PollLoop? _loop;

    public ConsumerGroup(string name, ITransport transport, KafkaOptions options, KafkaDiagnostics diagnostics, Action<Exception, bool> faulted)
    {
        Name = name;
        _transport = transport;
        _options = options;
        _diagnostics = diagnostics;
        _faulted = faulted;
        _logger = diagnostics.Logger<ConsumerGroup>();
        Causes = new StallCauses(diagnostics.Time);
        Errors = new GroupErrors(this, options, diagnostics.Time, diagnostics.Logger<PollLoop>());
    }

    public string Name { get; }

    public KafkaMode Mode => _transport.Mode;

    /// <summary>How its transactions are; null where it has none. Decided by its first subscription, under the lock.</summary>
    public ExactlyOnceSettings? ExactlyOnce { get; private set; }

    /// <summary>
    /// How far its broadcast subscriptions are; null where it is a group. Then it only looks like one: its client joins none and commits nothing.
    /// </summary>
    public BroadcastPositions? Broadcast { get; init; }

    /// <summary>Whether it stands for broadcast subscriptions.</summary>
    public bool IsBroadcast => Broadcast is not null;

    /// <summary>What has to be done before any topic is read: creating those that were declared.</summary>
    public Func<Task> Prepared { get; init; } = static () => Task.CompletedTask;

    /// <summary>What was reported to keep it from consuming.</summary>
    public StallCauses Causes { get; }

    public GroupErrors Errors { get; }

    public CompletedDeliveries Completed { get; } = new();

    public ConsumingMetrics Metrics { get; } = new();

    public IReadOnlyList<Subscription> Subscriptions
    {
        get
        {
            lock (_lock)
            {
                return [.. _subscriptions];
            }
        }
    }

    /// <summary>Whether partitions of some of its topics belong together: then one member is to have both.</summary>
    public bool InPairs
    {
        get
        {
            lock (_lock)
            {
                return _subscriptions.Exists(static subscription => subscription.Settings.KeepsKeyOrder);
            }
        }
    }

    /// <summary>The group's state for health and metrics; null before its first topic exists.</summary>
    public PollLoop? Loop => _loop;

    /// <summary>What the client subscribes to: patterns, and the topics that exist.</summary>
    public IReadOnlyList<string> ReadableTopics
    {
        get
        {
            lock (_lock)
            {
                return [.. _subscriptions.Where(subscription => !_unseen.Contains(subscription) && !subscription.IsEnding
                    && subscription.State is not (SubscriptionState.Faulted or SubscriptionState.Ended)).Select(subscription => subscription.Topic)];
            }
        }
    }

    /// <summary>Keeps a topic for a subscription that is about to be added; false where it has another.</summary>
    public bool Reserve(string topic)
    {
        lock (_lock)
        {
            return !_subscriptions.Exists(subscription => string.Equals(subscription.Topic, topic, StringComparison.Ordinal)) && _reserved.Add(topic);
        }
    }

    /// <summary>
    /// Adds a subscription and completes when the group was joined with it, or its topic was found missing. While no broker answers it waits for one.
    /// </summary>
    public async Task AddAsync(Subscription added, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_stop is not null)
            {
                throw new KafkaNotConnectedException($"Kafka is not connected any more: group '{Name}' was stopped.");
            }

            if (_subscriptions.Find(other => string.Equals(other.Topic, added.Topic, StringComparison.Ordinal)) is { } first)
            {
                throw new InvalidOperationException(
                    $"Group '{Name}' already handles '{added.Topic}' with {first.Settings.Handler}, so {added.Settings.Handler} cannot handle it too. "
                    + "Give one handler per topic and group; use another group to handle every message twice.");
            }

            if (_subscriptions.Count > 0 || _loop is not null)
            {
                ExactlyOnceRules.ThrowIfMixed(added.Settings.ExactlyOnce, ExactlyOnce, added.Topic, Name);
            }

            ExactlyOnce = added.Settings.ExactlyOnce;
            _reserved.Remove(added.Topic);
            _subscriptions.Add(added);
            if (_transport.Mode is not KafkaMode.Console)
            {
                _looks++;
                if (!added.Settings.IsPattern)
                {
                    _unseen.Add(added);
                }
            }
        }

        if (_transport.Mode is KafkaMode.Console)
        {
            ConsumingLog.ConsoleSubscription(_logger, added.Topic, Name);
            if (!_diagnostics.HasLogger)
            {
                await Console.Out.WriteLineAsync($"[DEV] Would subscribe to {added.Topic} in group {Name}").ConfigureAwait(false);
            }

            added.MoveTo(SubscriptionState.Running);
            return;
        }

        LookForAsync(added).Forget();
        await added.Ready.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Asks something of the poll thread; answers <paramref name="none"/> where there is none. What is <paramref name="remembered"/> is then asked of the
    /// first one all the same.
    /// </summary>
    public async Task<T> AskAsync<T>(Func<SubscriptionControl, T> question, T none, bool remembered, CancellationToken cancellationToken)
    {
        if (_loop is not { } loop)
        {
            if (remembered && _transport.Mode is not KafkaMode.Console)   // there will never be a poll thread in Console
            {
                _commands.Enqueue(() => question(_loop!.Control));
            }

            return none;
        }

        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _commands.Enqueue(() =>
        {
            try
            {
                answer.TrySetResult(question(loop.Control));
            }
            catch (KafkaException error)
            {
                answer.TrySetException(new KafkaConnectionException(
                    $"Group '{Name}' could not do it: {error.Error.Reason} ({error.Error.Code}). Try again.", error));
            }
        });
        return await Task.WhenAny(answer.Task.Observe(), loop.Ended).WaitAsync(cancellationToken).ConfigureAwait(false) == answer.Task
            ? await answer.Task.ConfigureAwait(false) : none;
    }

    /// <summary>Asks something without an answer; before there is a poll thread it is asked of the first.</summary>
    public Task AskAsync(Action<SubscriptionControl> request, CancellationToken cancellationToken) =>
        AskAsync(
            control =>
            {
                request(control);
                return true;
            },
            none: false,
            remembered: true,
            cancellationToken);

    /// <summary>Reads a subscription's topic no more; it ends when its partitions are gone.</summary>
    public void Remove(Subscription ending)
    {
        lock (_lock)
        {
            if (_loop is { Ended.IsCompleted: false } loop && _subscriptions.Contains(ending) && !_unseen.Contains(ending))
            {
                _commands.Enqueue(() => loop.Control.End(ending));
                UpdateLoop();
                return;
            }
        }

        Forget(ending);
    }

    /// <summary>A subscription that was told to end has no partition any more.</summary>
    public void Forget(Subscription ended)
    {
        lock (_lock)
        {
            _subscriptions.Remove(ended);
            _unseen.Remove(ended);
        }

        ConsumingLog.EndedByName(_logger, ended.Topic, Name);
        ended.Show([], [], [], []);
        ended.MoveTo(SubscriptionState.Ended);
    }

    /// <summary>A worker's: the poll thread pauses the partition and says so.</summary>
    public void OnHandlerFailed(AssignedPartition partition) => _commands.Enqueue(() => _loop!.OnStopped(partition));

    /// <summary>Finishes what runs, commits, leaves the group; at most as long as given. Returns what did not stop in time.</summary>
    public Task<IReadOnlyList<string>> StopAsync(TimeSpan timeout)
    {
        lock (_lock)
        {
            return _stop ??= StopCoreAsync(timeout);
        }
    }

    private async Task<IReadOnlyList<string>> StopCoreAsync(TimeSpan timeout)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _topicCheck.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        IReadOnlyList<string> abandoned = [];
        if (_loop is { } loop)
        {
            abandoned = await loop.StopAsync(timeout).ConfigureAwait(false);
        }

        foreach (var subscription in Subscriptions)
        {
            subscription.MoveTo(SubscriptionState.Ended);
            subscription.Show([], [], [], []);
        }

        return abandoned;
    }

    /// <summary>
    /// The topics by name, and what patterns brought; without those that are missing, or were and are about to be read again: these start anew when they
    /// are.
    /// </summary>
    public HashSet<string> TopicsRead() =>
    [
        .. Subscriptions.SelectMany(subscription => subscription.Assignment.Select(partition => partition.Topic)),
        .. Subscriptions.Where(static subscription => subscription is { Settings.IsPattern: false, State: SubscriptionState.Running }
            or { Settings.IsPattern: false, State: SubscriptionState.Joining, Ready.IsCompleted: false })
            .Select(subscription => subscription.Topic),
    ];

    /// <summary>A topic that was read does not exist any more: it is looked for, and read again when it does.</summary>
    public void Miss(string topic)
    {
        lock (_lock)
        {
            var missing = _subscriptions.Find(subscription => !subscription.Settings.IsPattern
                && string.Equals(subscription.Topic, topic, StringComparison.Ordinal));
            if (_stop is not null || missing is not { IsEnding: false, State: SubscriptionState.Running or SubscriptionState.Joining } || !_unseen.Add(missing))
            {
                return;
            }

            missing.MoveTo(SubscriptionState.TopicMissing);
            if (!missing.IsOptional)
            {
                ConsumingLog.TopicMissing(_logger, topic, Name);
            }
        }

        UpdateLoop();
        AwaitUnseen();
    }

    /// <summary>
    /// The group refused this member for want of a right: subscriptions that have never been joined end with that; those that have been continue when they
    /// may.
    /// </summary>
    public void Refuse(Error error)
    {
        if (error.Code is not (ErrorCode.GroupAuthorizationFailed or ErrorCode.TopicAuthorizationFailed))
        {
            return;
        }

        List<Subscription> refused;
        lock (_lock)
        {
            refused = _subscriptions.FindAll(static subscription => subscription is { State: SubscriptionState.Joining, Ready.IsCompleted: false });
            refused.ForEach(subscription => _subscriptions.Remove(subscription));
        }

        if (refused.Count > 0)
        {
            var refusal = new KafkaConnectionException(MissingRight.ToRead(
                error.Code, Name, [.. refused.Select(subscription => subscription.Topic)], error.Reason));
            refused.ForEach(subscription => subscription.MoveTo(SubscriptionState.Faulted, refusal));
            UpdateLoop();
        }
    }

    /// <summary>The group has to be joined again.</summary>
    public void MoveToJoining()
    {
        foreach (var subscription in Subscriptions.Where(static subscription => subscription.State is SubscriptionState.Running))
        {
            subscription.MoveTo(SubscriptionState.Joining);
        }
    }

    /// <summary>Why a source partition has no retry partition here, and what to do.</summary>
    public string WhyNoRetryPartition(TopicPartitionId partition, string retryTopic) => _watch?.PartitionsOf(retryTopic) is { } partitions
        && partitions <= partition.Partition
        ? $"its retry topic '{retryTopic}' has {partitions} partition(s) only. Give it as many as '{partition.Topic}' has (kafka-topics --alter "
            + $"--topic {retryTopic} --partitions {_watch?.PartitionsOf(partition.Topic)})"
        : $"its retry partition, {new TopicPartitionId(retryTopic, partition.Partition)}, is not this member's. All members have to read both topics "
            + "with the range assignor, and both topics need as many partitions";

    // The client reports a missing topic once or never, so we look ourselves, and continue looking while one is missing.
    private async Task LookForAsync(Subscription added)
    {
        var stopping = _stopping.Token;
        try
        {
            await Prepared().WaitAsync(stopping).ConfigureAwait(false);
            if (!added.Settings.IsPattern)
            {
                await FindAsync([added], stopping).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return;   // stopping ends the subscription
        }
        catch (Exception error) when (IsPassing(error))
        {
            ConsumingLog.TopicCheckFailed(_logger, error, Name);
        }
        catch (Exception error)
        {
            // Answered, and refused: looking again would not help, and whoever subscribed is told.
            lock (_lock)
            {
                _subscriptions.Remove(added);
                _unseen.Remove(added);
            }

            added.MoveTo(SubscriptionState.Faulted, error);
        }

        // Subscriptions that are added side by side, as by a host, are told to the client together: each telling is a rebalance.
        bool last;
        lock (_lock)
        {
            last = --_looks == 0;
        }

        if (last)
        {
            UpdateLoop();
        }

        AwaitUnseen();
        if (added.Settings.IsPattern && added.State is SubscriptionState.Joining)
        {
            await SayUnmatchedAsync(added, stopping).ConfigureAwait(false);
        }
    }

    private static bool IsPassing(Exception error) => error is KafkaTopicException { IsPassing: true };

    private async Task FindAsync(List<Subscription> wanted, CancellationToken cancellationToken)
    {
        if (_options.CreatesTopics(_transport.Mode))
        {
            // Retry topics are seen to with their source, whose number of partitions they have.
            await _transport.Topics.CreateIfNotExistsAsync(wanted.Where(subscription => subscription.Settings.Retries is null)
                .Select(subscription => new TopicSpec(subscription.Topic)), cancellationToken).ConfigureAwait(false);
            await EnsureDeletedRetriesAsync(wanted.FindAll(static subscription =>
                subscription is { State: SubscriptionState.TopicMissing, IsOptional: false, Settings.Retries: not null }), cancellationToken)
                .ConfigureAwait(false);
        }

        var existing = await _transport.Topics.GetPartitionCountsAsync(wanted.Select(subscription => subscription.Topic), cancellationToken)
            .ConfigureAwait(false);
        var rights = _transport.Topics is KafkaTopics topics && !IsBroadcast
            ? await topics.GetReadRightsAsync(Name, [.. existing.Keys], cancellationToken).ConfigureAwait(false)
            : ReadOnlyDictionary<string, bool>.Empty;
        Exception? trouble = null;
        foreach (var subscription in wanted)
        {
            if (rights.TryGetValue(subscription.Topic, out var mayRead) && !mayRead)
            {
                trouble ??= new KafkaConnectionException(MissingRight.ToRead(Name, subscription.Topic));
                continue;
            }

            if (existing.TryGetValue(subscription.Topic, out var partitions))
            {
                try
                {
                    // Before the first failure, so that nobody learns of a missing topic by it.
                    if (subscription.Settings is { Retries: null, FailureTopics: { } failureTopics })
                    {
                        await failureTopics.EnsureAsync(subscription.Topic, partitions, cancellationToken).ConfigureAwait(false);
                    }
                }
                catch (Exception error) when (error is not OperationCanceledException)
                {
                    trouble ??= error;
                    continue;
                }

                _transport.Backpressure?.GroupReads(Name, subscription.Topic, Broadcast is { } broadcast ? broadcast.Of : null);
                subscription.MoveTo(SubscriptionState.Joining);
                lock (_lock)
                {
                    _unseen.Remove(subscription);
                }
            }
            else if (subscription.State is SubscriptionState.Joining)
            {
                if (!subscription.IsOptional)
                {
                    ConsumingLog.TopicMissing(_logger, subscription.Topic, Name);
                }

                subscription.MoveTo(SubscriptionState.TopicMissing);
            }
        }

        if (trouble is not null)
        {
            ExceptionDispatchInfo.Throw(trouble);
        }
    }

    private async Task EnsureDeletedRetriesAsync(List<Subscription> deleted, CancellationToken cancellationToken)
    {
        var sources = await _transport.Topics.GetPartitionCountsAsync(
            deleted.Select(static subscription => subscription.Settings.Retries!.Source), cancellationToken).ConfigureAwait(false);
        foreach (var settings in deleted.Select(static subscription => subscription.Settings))
        {
            if (sources.TryGetValue(settings.Retries!.Source, out var partitions))
            {
                await settings.FailureTopics!.EnsureAsync(settings.Retries.Source, partitions, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private void AwaitUnseen()
    {
        lock (_lock)
        {
            if (_unseen.Count > 0 && _topicCheck.IsCompleted && !_stopping.IsCancellationRequested)
            {
                _topicCheck = Task.Run(() => AwaitUnseenAsync(_stopping.Token), CancellationToken.None);
            }
        }
    }

    private async Task AwaitUnseenAsync(CancellationToken cancellationToken)
    {
        string? said = null;
        while (true)
        {
            try
            {
                bool isPressing;
                lock (_lock)
                {
                    isPressing = _unseen.Any(static subscription => !subscription.IsOptional);
                }

                await Task.Delay(isPressing ? TopicCheckInterval : OptionalCheckInterval, _diagnostics.Time, cancellationToken).ConfigureAwait(false);
                List<Subscription> unseen;
                lock (_lock)
                {
                    // Decided under the lock that starts this task, so that a subscription added meanwhile is not forgotten.
                    if (_unseen.Count == 0)
                    {
                        _topicCheck = Task.CompletedTask;
                        return;
                    }

                    unseen = [.. _unseen];
                }

                await FindAsync(unseen, cancellationToken).ConfigureAwait(false);
                said = null;
                Causes.Remove(LookForTopics);
                UpdateLoop();
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                Causes.Add(LookForTopics, error.Message, UnmatchedAfter + _options.ConnectTimeout + OptionalCheckInterval);
                if (!string.Equals(said, error.Message, StringComparison.Ordinal))
                {
                    said = error.Message;
                    ConsumingLog.TopicCheckFailed(_logger, error, Name);
                }
            }
        }
    }

    // Without a topic to read the client does not join, and says nothing.
    private async Task SayUnmatchedAsync(Subscription pattern, CancellationToken cancellationToken)
    {
        try
        {
            await Task.WhenAny(pattern.Ready, Task.Delay(pattern.Settings.Start is StartPosition.Latest ? StartingSubscriptions.WithoutPartitions
                : UnmatchedAfter, _diagnostics.Time, cancellationToken)).ConfigureAwait(false);
            if (!cancellationToken.IsCancellationRequested && pattern.MissWhileJoining())
            {
                ConsumingLog.NoTopicMatches(_logger, pattern.Topic, Name);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopping ends the subscription.
        }
    }

    // Tells the client which topics there are, where that changed (each time makes an eager group rebalance); starts the poll loop with the first one.
    private void UpdateLoop()
    {
        lock (_lock)
        {
            var topics = ReadableTopics;
            if (_stop is not null || (topics.Count == 0 && _loop is null))
            {
                return;
            }

            if (_loop is not { } loop)
            {
                _loop = new PollLoop(this, _transport, _options, _diagnostics, _commands, _faulted);
                _loop.Start();
                if (_transport.Topics is KafkaTopics known)
                {
                    var watch = _watch = new TopicWatch(known, this, _diagnostics.Time, _logger);
                    _watching = Task.Run(() => watch.WatchAsync(_stopping.Token), CancellationToken.None);
                }
            }
            else if (loop.Ended.IsCompleted)
            {
                foreach (var subscription in _subscriptions)
                {
                    subscription.MoveTo(SubscriptionState.Faulted,
                        new KafkaConnectionException($"Group '{Name}' ended by itself; the Error of its other subscriptions and the log say why. "
                        + "Create a new service."));
                }
            }
            else if (!_told.SetEquals(topics))
            {
                _commands.Enqueue(loop.UpdateSubscription);
            }

            _told = [.. topics];
        }
    }
}
