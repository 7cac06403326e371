using System.Globalization;
using System.Text;

namespace Narad.Kafka.Testing;

/// <summary>
/// Watches a service, so that tests await what it does instead of sleeping: <em>published</em> (acknowledged by the broker), <em>handled</em> (its
/// handler completed), <em>retried</em> and <em>dead-lettered</em> (moved there, acknowledged) and <em>stopped</em> (a partition, at a message that no policy
/// covers), each with a deadline, 10 s unless said. What happened before the waiting began counts too. It sees through middleware and changes nothing. It
/// remembers all that it saw: for tests, not for production. Thread-safe.
/// </summary>
/// <remarks>Messages for batch handlers count as handled when they were handed to their batch.</remarks>
/// <example>
/// <code>
/// var harness = new KafkaHarness();
/// await using var kafka = harness.Create(embedded.CreateOptions());
/// await kafka.ConnectProducerAsync();
/// await kafka.ConnectConsumerAsync("billing");
/// await kafka.SubscribeAsync&lt;OrderPlaced&gt;("orders", (order, context, token) =&gt; Task.CompletedTask);
///
/// await kafka.SendAsync("orders", new OrderPlaced("42"));
/// var handled = await harness.WaitForHandledAsync&lt;OrderPlaced&gt;(order =&gt; order.OrderId == "42");
/// </code>
/// </example>
public sealed class KafkaHarness : ISendMiddleware, IConsumeMiddleware, IFailureObserver
{
    private const int Listed = 20;

    private static readonly TimeSpan StoppedInterval = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly List<Observation> _seen = [];   // under _lock
    private readonly TimeSpan _deadline;
    private Func<IKafkaService?> _service = static () => null;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);   // under _lock

    /// <summary>Creates a harness; let it watch with <see cref="Create"/>, or with <c>services.AddNaradKafkaHarness()</c>.</summary>
    /// <param name="deadline">How long each waiting may take; default 10 s.</param>
    public KafkaHarness(TimeSpan? deadline = null) => _deadline = deadline ?? TimeSpan.FromSeconds(10);

    internal KafkaHarness(Func<IKafkaService> service, TimeSpan? deadline)
        : this(deadline) => _service = service;

    private enum What
    {
        Published,
        NotPublished,
        Handled,
        Failed,
        Retried,
        DeadLettered,
    }

    /// <summary>Creates a service that this harness watches.</summary>
    /// <param name="options">Its settings; the harness is added to its middleware, around what is there.</param>
    public KafkaService Create(KafkaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.SendMiddleware.Insert(0, this);
        options.ConsumeMiddleware.Insert(0, this);
        options.FailureObservers.Insert(0, this);
        var service = new KafkaService(options);
        Observe(service);
        return service;
    }

    /// <summary>
    /// Names the service whose stopped partitions are watched; its options must have the harness as middleware and as failure observer.
    /// <see cref="Create"/> does both.
    /// </summary>
    public void Observe(IKafkaService service)
    {
        ArgumentNullException.ThrowIfNull(service);
        _service = () => service;
    }

    /// <summary>Waits for a message that was sent and acknowledged.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="match">Which; default any of this type.</param>
    /// <param name="topic">In which topic; default any.</param>
    /// <param name="within">The deadline; default the harness's.</param>
    /// <exception cref="HarnessTimeoutException">It was not; the message lists what was seen instead.</exception>
    public async Task<ObservedMessage<T>> WaitForPublishedAsync<T>(Func<T, bool>? match = null, string? topic = null, TimeSpan? within = null) =>
        (await WaitAsync(What.Published, count: 1, match, topic, within).ConfigureAwait(false))[0];

    /// <summary>
    /// Waits for several messages that were sent and acknowledged, in the order of their acknowledgements. See
    /// <see cref="WaitForPublishedAsync{T}(Func{T, bool}, string, TimeSpan?)"/>.
    /// </summary>
    public Task<IReadOnlyList<ObservedMessage<T>>> WaitForPublishedAsync<T>(
        int count, Func<T, bool>? match = null, string? topic = null, TimeSpan? within = null) =>
        WaitAsync(What.Published, count, match, topic, within);

    /// <summary>Waits for a message whose handler completed.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="match">Which; default any of this type.</param>
    /// <param name="topic">In which topic; default any.</param>
    /// <param name="within">The deadline; default the harness's.</param>
    /// <exception cref="HarnessTimeoutException">It did not; the message lists what was seen instead.</exception>
    public async Task<ObservedMessage<T>> WaitForHandledAsync<T>(Func<T, bool>? match = null, string? topic = null, TimeSpan? within = null) =>
        (await WaitAsync(What.Handled, count: 1, match, topic, within).ConfigureAwait(false))[0];

    /// <summary>
    /// Waits for several messages whose handlers completed, in the order of their completion. See
    /// <see cref="WaitForHandledAsync{T}(Func{T, bool}, string, TimeSpan?)"/>.
    /// </summary>
    public Task<IReadOnlyList<ObservedMessage<T>>> WaitForHandledAsync<T>(
        int count, Func<T, bool>? match = null, string? topic = null, TimeSpan? within = null) =>
        WaitAsync(What.Handled, count, match, topic, within);

    /// <summary>Waits for a message that failed and went to its retry topic.</summary>
    /// <param name="match">Which; default any. <see cref="ObservedFailure.Message"/> has the attempt that failed.</param>
    /// <param name="topic">The topic that it came from at first; default any.</param>
    /// <param name="within">The deadline; default the harness's.</param>
    /// <exception cref="HarnessTimeoutException">None did; the message lists what was seen instead.</exception>
    public async Task<ObservedFailure> WaitForRetriedAsync(Func<ObservedFailure, bool>? match = null, string? topic = null, TimeSpan? within = null) =>
        (await WaitForFailuresAsync(What.Retried, count: 1, match, topic, within).ConfigureAwait(false))[0];

    /// <summary>
    /// Waits for several messages that failed and went to their retry topic, in that order; one that goes there three times counts three times.
    /// </summary>
    public Task<IReadOnlyList<ObservedFailure>> WaitForRetriedAsync(
        int count, Func<ObservedFailure, bool>? match = null, string? topic = null, TimeSpan? within = null) =>
        WaitForFailuresAsync(What.Retried, count, match, topic, within);

    /// <summary>Waits for a message that went to its dead-letter topic.</summary>
    /// <param name="match">Which; default any.</param>
    /// <param name="topic">The topic that it came from at first; default any.</param>
    /// <param name="within">The deadline; default the harness's.</param>
    /// <exception cref="HarnessTimeoutException">None did; the message lists what was seen instead.</exception>
    public async Task<ObservedFailure> WaitForDeadLetteredAsync(Func<ObservedFailure, bool>? match = null, string? topic = null, TimeSpan? within = null) =>
        (await WaitForFailuresAsync(What.DeadLettered, count: 1, match, topic, within).ConfigureAwait(false))[0];

    /// <summary>Waits for several messages that went to their dead-letter topic, in that order.</summary>
    public Task<IReadOnlyList<ObservedFailure>> WaitForDeadLetteredAsync(
        int count, Func<ObservedFailure, bool>? match = null, string? topic = null, TimeSpan? within = null) =>
        WaitForFailuresAsync(What.DeadLettered, count, match, topic, within);

    /// <summary>Waits for a partition to stop at a message that no policy covers.</summary>
    /// <param name="topic">The topic's real name.</param>
    /// <param name="within">The deadline; default the harness's.</param>
    /// <exception cref="HarnessTimeoutException">None did; the message lists what was seen instead.</exception>
    /// <exception cref="InvalidOperationException">The harness knows no service.</exception>
    public async Task<StoppedPartition> WaitForStoppedAsync(string topic, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(topic);
        var service = _service()
            ?? throw new InvalidOperationException("This harness watches no service: use Create(options), AddNaradKafkaHarness() or Observe(service).");
        var limit = within ?? _deadline;
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var stopped = service.Subscriptions.SelectMany(subscription => subscription.StoppedPartitions)
                .FirstOrDefault(partition => string.Equals(partition.Partition.Topic, topic, StringComparison.Ordinal));
            if (stopped is not null)
            {
                return stopped;
            }

            if (TimeProvider.System.GetElapsedTime(started) >= limit)
            {
                throw new HarnessTimeoutException(
                    string.Create(CultureInfo.InvariantCulture, $"No partition of {topic} stopped within {limit.TotalSeconds:0.###} s.{Report()}"));
            }

            await Task.Delay(StoppedInterval).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    async ValueTask<SendResult> ISendMiddleware.SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
    {
        try
        {
            var result = await next(message, cancellationToken).ConfigureAwait(false);
            Add(new Observation(What.Published, message.Message, result.Topic, result.Partition, result.Offset, message.Key,
                new MessageHeaders(message.Headers), Group: null, Failure: null));
            return result;
        }
        catch (Exception failure)
        {
            Add(new Observation(What.NotPublished, message.Message, message.Topic, message.Partition
                ?? -1, -1, message.Key, new MessageHeaders(message.Headers), Group: null, failure));
            throw;
        }
    }

    /// <inheritdoc/>
    async Task IConsumeMiddleware.HandleAsync(object? message, MessageContext context, ConsumeDelegate next, CancellationToken cancellationToken)
    {
        try
        {
            await next(message, context, cancellationToken).ConfigureAwait(false);
            Add(new Observation(
                What.Handled, message, context.Topic, context.Partition, context.Offset, context.Key, context.Headers, context.Group, Failure: null));
        }
        catch (Exception failure)
        {
            Add(new Observation(What.Failed, message, context.Topic, context.Partition, context.Offset, context.Key, context.Headers, context.Group, failure));
            throw;
        }
    }

    /// <inheritdoc/>
    void IFailureObserver.OnRetryScheduled(FailedMessage message, SendResult retryRecord, DateTimeOffset due) =>
        Add(What.Retried, new ObservedFailure(message, retryRecord, due));

    /// <inheritdoc/>
    void IFailureObserver.OnDeadLettered(FailedMessage message, SendResult deadLetter) =>
        Add(What.DeadLettered, new ObservedFailure(message, deadLetter, Due: null));

    private void Add(What what, ObservedFailure failure)
    {
        var context = failure.Message.Context;
        Add(new Observation(
            what, failure, context.Original.Topic, context.Partition, context.Offset, context.Key, context.Headers, context.Group, failure.Message.Error));
    }

    private void Add(Observation observation)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            _seen.Add(observation);
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.TrySetResult();
    }

    private async Task<IReadOnlyList<ObservedFailure>> WaitForFailuresAsync(
        What what, int count, Func<ObservedFailure, bool>? match, string? topic, TimeSpan? within)
    {
        var seen = await WaitAsync(what, count, match, topic, within).ConfigureAwait(false);
        return [.. seen.Select(observed => observed.Message)];
    }

    private async Task<IReadOnlyList<ObservedMessage<T>>> WaitAsync<T>(What what, int count, Func<T, bool>? match, string? topic, TimeSpan? within)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var limit = within ?? _deadline;
        var started = TimeProvider.System.GetTimestamp();
        var found = new List<ObservedMessage<T>>();
        var looked = 0;
        while (true)
        {
            List<Observation> fresh;
            Task changed;
            lock (_lock)
            {
                fresh = _seen[looked..];
                looked = _seen.Count;
                changed = _changed.Task;
            }

            foreach (var one in fresh)
            {
                if (one.What == what && one.Message is T message && (topic is null || string.Equals(one.Topic, topic, StringComparison.Ordinal))
                    && match?.Invoke(message) is not false)
                {
                    found.Add(new ObservedMessage<T>(message, one.Topic, one.Partition, one.Offset, one.Key, one.Headers, one.Group));
                    if (found.Count == count)
                    {
                        return found;
                    }
                }
            }

            var left = limit - TimeProvider.System.GetElapsedTime(started);
            try
            {
                await changed.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                var kind = $"{(typeof(T) == typeof(ObservedFailure) ? "messages" : typeof(T).Name)}{(match is null ? "" : " that match")}";
                var place = topic is null ? "" : $" of topic {topic}";
                throw new HarnessTimeoutException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{found.Count} of {count} {kind}{place} were {Verb(what)} within {limit.TotalSeconds:0.###} s.{Report()}"));
            }
        }
    }

    // What was seen instead, the latest last.
    private string Report()
    {
        List<Observation> seen;
        lock (_lock)
        {
            seen = [.. _seen];
        }

        var report = new StringBuilder();
        report.Append(CultureInfo.InvariantCulture, $" Seen instead, {seen.Count} in all{(seen.Count > Listed ? ", the last 20" : "")}:");
        if (seen.Count == 0)
        {
            report.Append(" nothing.");
        }

        foreach (var one in seen.TakeLast(Listed))
        {
            report.AppendLine()
                .Append(CultureInfo.InvariantCulture,
                    $"  {Verb(one.What)} {one.Topic}[{one.Partition}]@{one.Offset} key {one.Key}: {one.Message?.GetType().Name ?? "tombstone"} "
                        + $"{Shortened(one.Message)}");
            if (one.Failure is not null)
            {
                report.Append(CultureInfo.InvariantCulture, $" — {one.Failure.GetType().Name}: {one.Failure.Message}");
            }
        }

        foreach (var subscription in _service()?.Subscriptions ?? [])
        {
            report.AppendLine()
                .Append(CultureInfo.InvariantCulture,
                    $"  subscription of {subscription.Group} to {subscription.Topic}: {subscription.State}, {subscription.Assignment.Count} partitions, "
                        + $"stopped: ");
            report.Append(subscription.StoppedPartitions.Count == 0
                ? "none"
                : string.Join("; ",
                    subscription.StoppedPartitions.Select(stopped =>
                        string.Create(CultureInfo.InvariantCulture, $"{stopped.Partition}@{stopped.Offset} ({stopped.Reason.Message})"))));
            if (subscription.Error is { } fault)
            {
                report.Append(CultureInfo.InvariantCulture, $", ended by {fault.GetType().Name}: {fault.Message}");
            }
        }

        return report.ToString();
    }

    private static string Verb(What what) => what switch
    {
        What.Published => "published",
        What.NotPublished => "not published",
        What.Handled => "handled",
        What.Retried => "retried",
        What.DeadLettered => "dead-lettered",
        _ => "failed",
    };

    private static string Shortened(object? message)
    {
        var text = message?.ToString() ?? "";
        return text.Length <= 200 ? text : string.Concat(text.AsSpan(0, 200), "…");
    }

    private sealed record Observation(
        What What, object? Message, string Topic, int Partition, long Offset, MessageKey Key, MessageHeaders Headers, string? Group, Exception? Failure);
}
