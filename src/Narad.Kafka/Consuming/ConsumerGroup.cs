using System.Collections.Concurrent;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Consuming;

/// <summary>
/// One consumer group of this process: its subscriptions, and the <see cref="PollLoop"/> that serves them all through one client. It starts
/// the loop when the first of its topics exists and tells it when another one does. Thread-safe.
/// </summary>
internal sealed class ConsumerGroup
{
    private static readonly TimeSpan TopicCheckInterval = TimeSpan.FromSeconds(1);

    private readonly ITransport _transport;
    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private readonly List<Subscription> _subscriptions = [];
    private readonly ConcurrentQueue<Action> _commands = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Action<Exception, bool> _faulted;
    private Task _topicCheck = Task.CompletedTask;
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
    }

    public string Name { get; }

    public CompletedDeliveries Completed { get; } = new();

    public ConsumingMetrics Metrics { get; } = new();

    public IReadOnlyList<Subscription> Subscriptions
    {
        get
        {
            lock (_gate)
            {
                return [.. _subscriptions];
            }
        }
    }

    /// <summary>The group's state for health and metrics; null before its first topic exists.</summary>
    public PollLoop? Loop => _loop;

    /// <summary>
    /// Adds subscriptions and completes when the group was joined with them, or their topics were found missing.
    /// </summary>
    public async Task AddAsync(IReadOnlyList<Subscription> added, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stop is not null, this);
            foreach (var subscription in added)
            {
                if (_subscriptions.Exists(other => string.Equals(other.Topic, subscription.Topic, StringComparison.Ordinal)))
                {
                    throw new InvalidOperationException(
                        $"Group '{Name}' already handles '{subscription.Topic}'. Give one handler per topic and group; use another group to handle every message twice.");
                }
            }

            _subscriptions.AddRange(added);
        }

        if (_transport.Mode is KafkaMode.Console)
        {
            foreach (var subscription in added)
            {
                ConsumingLog.ConsoleSubscription(_logger, subscription.Topic, Name);
                subscription.MoveTo(SubscriptionState.Running);
            }

            return;
        }

        await CheckAddedAsync(added).WaitAsync(cancellationToken).ConfigureAwait(false);
        var ready = Task.WhenAll(added.Select(subscription => subscription.Ready));
        if (_loop is { } loop && await Task.WhenAny(ready, loop.Ended).WaitAsync(cancellationToken).ConfigureAwait(false) != ready && !ready.IsCompleted)
        {
            var ended = new KafkaConnectionException($"The poll loop of group '{Name}' has ended; nothing can be added to it. The other subscriptions' Fault says why.");
            foreach (var subscription in added)
            {
                subscription.MoveTo(SubscriptionState.Faulted, ended);
            }
        }

        await ready.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    // Where looking for topics fails, the caller hears it and may subscribe again: what he added is taken out.
    private async Task CheckAddedAsync(IReadOnlyList<Subscription> added)
    {
        try
        {
            await CheckTopicsAsync(_stopping.Token).ConfigureAwait(false);
        }
        catch
        {
            foreach (var subscription in added)
            {
                subscription.MoveTo(SubscriptionState.Ended);
            }

            lock (_gate)
            {
                _subscriptions.RemoveAll(added.Contains);
            }

            throw;
        }
    }

    /// <summary>Runs something on the poll thread; false where there is none.</summary>
    public async Task<bool> AskAsync(Func<bool> question, CancellationToken cancellationToken)
    {
        if (_loop is not { } loop)
        {
            return false;
        }

        var answer = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        _commands.Enqueue(() =>
        {
            try
            {
                answer.TrySetResult(question());
            }
            catch (KafkaException error)
            {
                answer.TrySetException(new KafkaConnectionException($"Group '{Name}' could not do it: {error.Error.Reason} ({error.Error.Code}). Try again.", error));
            }
        });
        return await Task.WhenAny(answer.Task, loop.Ended).WaitAsync(cancellationToken).ConfigureAwait(false) == answer.Task && await answer.Task.ConfigureAwait(false);
    }

    /// <summary>Poll thread only: see <see cref="ISubscription.ResumeAsync"/>.</summary>
    public bool Resume(Subscription subscription, TopicPartitionId partition, bool skipFirst) => _loop!.Resume(subscription, partition, skipFirst);

    /// <summary>A worker's: the poll thread pauses the partition and says so.</summary>
    public void OnHandlerFailed(AssignedPartition partition) => _commands.Enqueue(() => _loop!.OnStopped(partition));

    /// <summary>Finishes what runs, commits, leaves the group; at most as long as given. Returns what did not stop in time.</summary>
    public Task<IReadOnlyList<string>> StopAsync(TimeSpan timeout)
    {
        lock (_gate)
        {
            return _stop ??= StopCoreAsync(timeout);
        }
    }

    private async Task<IReadOnlyList<string>> StopCoreAsync(TimeSpan timeout)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        IReadOnlyList<string> abandoned = [];
        if (_loop is { } loop)
        {
            abandoned = await loop.StopAsync(timeout).ConfigureAwait(false);
        }

        foreach (var subscription in Subscriptions)
        {
            subscription.MoveTo(SubscriptionState.Ended);
            subscription.Show([], []);
        }

        return abandoned;
    }

    // S17: the client reports a missing topic once or never, so we look ourselves, and go on looking while one is missing.
    private async Task CheckTopicsAsync(CancellationToken cancellationToken)
    {
        var missing = await FindMissingAsync(cancellationToken).ConfigureAwait(false);
        UpdateLoop();
        if (missing.Count == 0)
        {
            return;
        }

        foreach (var subscription in missing)
        {
            ConsumingLog.TopicMissing(_logger, subscription.Topic, Name);
            subscription.MoveTo(SubscriptionState.TopicMissing);
        }

        lock (_gate)
        {
            if (_topicCheck.IsCompleted && !cancellationToken.IsCancellationRequested)
            {
                _topicCheck = Task.Run(() => AwaitMissingAsync(cancellationToken), CancellationToken.None);
            }
        }
    }

    private async Task<List<Subscription>> FindMissingAsync(CancellationToken cancellationToken)
    {
        var named = Subscriptions.Where(subscription => !subscription.Settings.IsPattern && subscription.State is SubscriptionState.Joining or SubscriptionState.TopicMissing).ToList();
        if (named.Count == 0)
        {
            return [];
        }

        if (_transport.Mode is KafkaMode.Embedded || _options.TopicCreation is TopicCreation.IfMissing)
        {
            await _transport.Topics.EnsureAsync(named.Select(subscription => new TopicSpec(subscription.Topic)), cancellationToken).ConfigureAwait(false);
        }

        var existing = await _transport.Topics.DescribeAsync(named.Select(subscription => subscription.Topic), cancellationToken).ConfigureAwait(false);
        foreach (var subscription in named.Where(subscription => existing.ContainsKey(subscription.Topic)))
        {
            _transport.SendGate?.GroupReads(Name, subscription.Topic);
            subscription.MoveTo(SubscriptionState.Joining);
        }

        return named.FindAll(subscription => !existing.ContainsKey(subscription.Topic));
    }

    private async Task AwaitMissingAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await Task.Delay(TopicCheckInterval, _diagnostics.Time, cancellationToken).ConfigureAwait(false);
                var missing = await FindMissingAsync(cancellationToken).ConfigureAwait(false);
                UpdateLoop();
                lock (_gate)
                {
                    // Decided under the lock that starts this task, so that a subscription added meanwhile is not forgotten.
                    if (missing.Count == 0 && !_subscriptions.Exists(subscription => subscription.State is SubscriptionState.TopicMissing))
                    {
                        _topicCheck = Task.CompletedTask;
                        return;
                    }
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                ConsumingLog.TopicCheckFailed(_logger, error, Name);
            }
        }
    }

    // Tells the client which topics there are; starts the poll loop with the first one.
    private void UpdateLoop()
    {
        lock (_gate)
        {
            if (_stop is not null || !_subscriptions.Exists(subscription => subscription.State is not SubscriptionState.TopicMissing))
            {
                return;
            }

            if (_loop is { } loop)
            {
                _commands.Enqueue(loop.UpdateSubscription);
                return;
            }

            _loop = new PollLoop(this, _transport, _options, _diagnostics, _commands, _faulted);
            _loop.Start();
        }
    }
}
