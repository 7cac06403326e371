using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.KeyOrder;
using Narad.Kafka.Producing;
using Narad.Kafka.Serialization;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Handles a message: deserializes it, runs middleware and handler, and turns their exceptions into an <see cref="Outcome"/>.
/// Never throws, never stores an offset, and never decides when a message runs. Thread-safe: one instance serves all workers of a subscription.
/// </summary>
internal abstract class HandlerPipeline
{
    // A sender that counts in microseconds writes a timestamp that no date can represent. The message is handled all the same.
    private static readonly long LastTimestamp = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    private static readonly Backoff PublishBackoff = Backoff.Exponential(TimeSpan.FromMilliseconds(250), max: TimeSpan.FromSeconds(30));

    // The delay before another try of a message that must not run beside another message of its key.
    private static readonly TimeSpan BlockedCheckInterval = TimeSpan.FromMilliseconds(50);

    // A cause that is not reported again within this time plus the delay is over: another member handled the message, or it is gone.
    private static readonly TimeSpan LongestRead = TimeSpan.FromMinutes(1);

    private readonly SubscriptionSettings _settings;
    private readonly FailurePolicy _policy;
    private readonly ConsumingMetrics _metrics;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly OncePerKind<string> _publishFailures;   // by topic that records go to

    protected HandlerPipeline(SubscriptionSettings settings, ConsumingMetrics metrics, KafkaDiagnostics diagnostics)
    {
        _settings = settings;
        _metrics = metrics;
        _logger = diagnostics.Logger<HandlerPipeline>();
        _policy = new FailurePolicy(settings.Retry, settings.IsBroadcast ? FailureAction.Skip
            : settings.FailureTopics is not null ? FailureAction.DeadLetter : FailureAction.Stop, _logger);
        _time = diagnostics.Time;
        _publishFailures = new OncePerKind<string>(diagnostics.Time);
    }

    protected SubscriptionSettings Settings => _settings;

    /// <summary>Runs before the subscription starts and must succeed; null where nothing is needed.</summary>
    public Func<CancellationToken, Task>? Starting { get; init; }

    /// <summary>When a batch is complete; null where messages are handled one by one.</summary>
    public virtual BatchLimits? Batch => null;

    /// <summary>Runs the first <see cref="KeyQueue.Taken"/> messages of a key queue, which belong to the caller until this completes.</summary>
    public ValueTask<Outcome> RunAsync(KeyQueue queue) => queue.Head is { Key: not null, Partition.BlockedKeys: { } blockedKeys }
        ? RunInOrderAsync(queue, blockedKeys)
        : HandleAsync(queue);

    /// <summary>
    /// Returns the outcome where <see cref="RunAsync"/> itself failed: the partition stops at the first message of the key queue. Log and health report it.
    /// </summary>
    public static Outcome OutcomeOfFailedRun(KeyQueue queue, Exception error)
    {
        if (queue.Head!.TransactionEntry is not { } entry)
        {
            return new Outcome(0, OutcomeKind.Stop, Error: error);
        }

        if (entry.CountsAsFailure(ref error))
        {
            entry.Decide(new FailureDecision(FailureAction.Stop), error);
        }

        return Outcome.One;
    }

    /// <inheritdoc cref="RunAsync"/>
    protected abstract ValueTask<Outcome> HandleAsync(KeyQueue queue);

    /// <summary>
    /// Returns the outcome of a message that is not handled now, because of its exactly-once transaction. Returns null where the message is to be handled, and
    /// always without exactly-once.
    /// </summary>
    protected Outcome? OutcomeWithoutHandling(Delivery delivery)
    {
        if (delivery.TransactionState is not { } state)
        {
            return null;
        }

        if (state.Entry is not { } entry)
        {
            // The partition stops here. After it resumes, the message gets a transaction again.
            if (state.Decided is FailureAction.Stop)
            {
                state.Decided = null;
                return new Outcome(0, OutcomeKind.Stop, Error: state.DecidedFor);
            }

            state.ReturnedWithoutTransaction = true;
            return Outcome.One;
        }

        if (!entry.TryStart())
        {
            return Outcome.One;
        }

        if (state.Decided is not FailureAction.Skip)
        {
            return null;
        }

        if (state.DecidedFor is { } error)
        {
            entry.Committed = SkippedByPolicy(error, delivery.Partition.Id, delivery.Offset);
        }

        entry.Finish();
        return Outcome.One;
    }

    // A method of its own: its closure would be allocated for each message.
    private Action SkippedByPolicy(Exception error, TopicPartitionId partition, long offset) => () =>
    {
        _metrics.SkippedByPolicy();
        ConsumingLog.SkippedByPolicy(_logger, error, partition, offset, _settings.Group);
    };

    protected bool IsUnwantedTombstone(Delivery delivery) => delivery.Value is null && !_settings.Tombstones;

    /// <summary>Counts a tombstone that is finished without having been handled; once a message.</summary>
    protected void CountTombstone(Delivery delivery)
    {
        if (delivery.TransactionEntry is { } entry)
        {
            entry.Committed = _metrics.TombstoneFinished;
        }
        else
        {
            _metrics.TombstoneFinished();
        }
    }

    protected MessageContext NewContext(Delivery delivery) => new(OriginOf(delivery))
    {
        Offset = delivery.Offset,
        Key = MessageKey.From(delivery.Key),
        Received = delivery.Headers,
        Timestamp = TimeOf(delivery.Timestamp),
        Attempt = delivery.Attempts,
        Services = _settings.Services,
        RawValue = delivery.Value is { } value ? new ReadOnlyMemory<byte>(value) : default(ReadOnlyMemory<byte>?),   // a bare null would become an empty value
    };

    /// <summary>The message; null for a tombstone. Once an invocation: this is where it is logged as received.</summary>
    protected ValueTask<T> DecodeAsync<T>(MessageContext context, CancellationToken cancellationToken)
    {
        if (_logger.IsEnabled(LogLevel.Debug))
        {
            ConsumingLog.Received(_logger, context.Topic, context.Partition, context.Offset, context.Group);
        }

        if (context.RawValue is not { } value)
        {
            return new ValueTask<T>(default(T)!);
        }

        return _settings.Decoder.DecodeAsync<T>(value, context, cancellationToken);
    }

    /// <summary>The handler's token: the assignment's, and the time limit's where there is one.</summary>
    protected TimeLimit? LimitTime(CancellationToken assignment) => _settings.Timeout is { } limit ? new TimeLimit(limit, _time, _logger, assignment) : null;

    /// <summary>Starts the consuming activity, as a child of the sender's, when somebody listens.</summary>
    protected GuardedActivity StartActivity(MessageContext context)
    {
        if (!KafkaDiagnostics.Activities.HasListeners())
        {
            return default;
        }

        var started = GuardedActivity.Start($"{context.Topic} process", ActivityKind.Consumer, TraceHeaders.ParentOf(context.Received));
        if (started.Activity is { } activity)
        {
            TraceHeaders.TakeBaggage(activity, context.Received);
            activity.SetTag("messaging.system", "kafka");
            activity.SetTag("messaging.operation.type", "process");
            activity.SetTag("messaging.destination.name", context.Topic);
            activity.SetTag("messaging.destination.partition.id", context.Partition);
            activity.SetTag("messaging.kafka.offset", context.Offset);
            activity.SetTag("messaging.consumer.group.name", context.Group);
        }

        return started;
    }

    /// <summary>A message was read: if it waited for that, its partition is no longer reported as waiting.</summary>
    protected void MarkRead(Delivery delivery)
    {
        if (!delivery.IsWaitingForDeserializer)
        {
            return;
        }

        delivery.IsWaitingForDeserializer = false;
        if (_settings.Causes?.Remove(WaitingSubject(delivery)) is true)
        {
            SerializationLog.Resumes(_logger, delivery.Partition.Id, _settings.Group, delivery.Offset);
        }
    }

    private void MarkWaiting(Delivery delivery, SerializationUnavailableException error)
    {
        delivery.IsWaitingForDeserializer = true;
        var text = $"{delivery.Partition.Id} of group '{_settings.Group}' waits, because messages cannot be read: {error.Message}";
        if (_settings.Causes?.Add(WaitingSubject(delivery), text, error.RetryAfter + LongestRead) is not false)
        {
            SerializationLog.Waiting(_logger, delivery.Partition.Id, _settings.Group, delivery.Offset, error.Message, Duration.Text(error.RetryAfter));
        }
    }

    private static string WaitingSubject(Delivery delivery) => $"read:{delivery.Partition.Id}";

    /// <summary>Asks the failure policy about a message whose handler threw, and returns the outcome.</summary>
    protected async ValueTask<Outcome> HandleFailureAsync(Delivery delivery, Exception error, bool timedOut, int finishedBefore = 0)
    {
        if (delivery.TransactionEntry is null && delivery.Partition.Token.IsCancellationRequested)
        {
            ConsumingLog.Abandoned(_logger, delivery.Partition.Id, delivery.Offset);
            return new Outcome(finishedBefore, OutcomeKind.Abandoned);
        }

        if (timedOut && error is OperationCanceledException)
        {
            error = new TimeoutException($"The handler of {delivery.Partition.Id} offset {delivery.Offset} took longer than its limit "
                + $"of {Duration.Text(_settings.Timeout.GetValueOrDefault())}.", error);
        }

        // It is handled later, and this invocation does not count.
        var postponed = PostponedException.DelayOf(error);
        if (postponed is not null)
        {
            delivery.Attempts--;
            if (error is SerializationUnavailableException unavailable)
            {
                MarkWaiting(delivery, unavailable);
            }
        }

        if (delivery.TransactionEntry is { } entry)
        {
            // Its transaction is aborted, and the message returns to the poll thread. The decision is carried out in a transaction of its own.
            if (entry.CountsAsFailure(ref error))
            {
                entry.Decide(Decide(delivery, error), error);
            }

            return new Outcome(finishedBefore + 1);
        }

        if (postponed is { } wait)
        {
            return new Outcome(finishedBefore, OutcomeKind.Retry, wait);
        }

        if (_settings.Circuit is { } circuit && circuit.Failed(delivery, error))
        {
            delivery.Attempts--;
            ConsumingLog.HandedBack(_logger, error, delivery.Partition.Id, delivery.Offset, _settings.Group);
            return new Outcome(finishedBefore, OutcomeKind.Retry);   // the circuit says when
        }

        var context = NewContext(delivery);
        var decision = _policy.Decide(error, context);
        switch (decision.Action)
        {
            case FailureAction.Retry:
                _metrics.RetriedInMemory();
                ConsumingLog.RetryingInMemory(_logger, delivery.Partition.Id, delivery.Offset, delivery.Attempts, _settings.Retry.InMemory.MaxAttempts,
                    Duration.Text(decision.Delay), TypeAndMessage(error));
                return new Outcome(finishedBefore, OutcomeKind.Retry, decision.Delay);

            case FailureAction.RetryLater:
                delivery.Forwarding = new Forwarding(error, context.Retry + 1, DueAfter(decision.Delay));
                return await ForwardAsync(delivery, finishedBefore).ConfigureAwait(false);

            case FailureAction.Skip when decision.IsLast:   // of a broadcast subscription
                _metrics.BroadcastFailed();
                ConsumingLog.BroadcastFailed(_logger, error, delivery.Partition.Id, delivery.Offset);
                return new Outcome(finishedBefore + 1);

            case FailureAction.Skip:
                _metrics.SkippedByPolicy();
                ConsumingLog.SkippedByPolicy(_logger, error, delivery.Partition.Id, delivery.Offset, _settings.Group);
                return new Outcome(finishedBefore + 1);

            case FailureAction.DeadLetter:
                delivery.Forwarding = new Forwarding(error);
                return await ForwardAsync(delivery, finishedBefore).ConfigureAwait(false);

            default:
                return new Outcome(finishedBefore, OutcomeKind.Stop, Error: error);
        }
    }

    // A message of a key that is kept in order through its retries.
    private async ValueTask<Outcome> RunInOrderAsync(KeyQueue queue, BlockedKeys blockedKeys)
    {
        var delivery = queue.Head!;
        if (delivery.Forwarding is null)
        {
            var decision = KeyOrderDecision.Handle;
            if (_settings.Retries is null)
            {
                decision = blockedKeys.DecideMessage(delivery.Key!, delivery.Offset, delivery.Timestamp);
            }
            else
            {
                decision = blockedKeys.DecideRecord(delivery.Offset, out var retry);
                delivery.BlockedRecord = retry;
            }

            switch (decision)
            {
                case KeyOrderDecision.Wait:
                    return new Outcome(0, OutcomeKind.Retry, BlockedCheckInterval);

                case KeyOrderDecision.PutBack:
                    return new Outcome(0, OutcomeKind.PutBack);

                case KeyOrderDecision.Finish when delivery.BlockedRecord is null:
                    return Outcome.One;

                case KeyOrderDecision.Finish:
                    delivery.Forwarding = Forwarding.MarkFinished;
                    break;

                case KeyOrderDecision.Forward:
                    delivery.Forwarding = Forwarding.BehindKey;
                    break;

                case KeyOrderDecision.DeadLetter:
                    delivery.Forwarding = new Forwarding(
                        new KeyDeadLetteredException($"An earlier message of the key of {delivery.Partition.Id} offset {delivery.Offset} became a dead "
                            + $"letter, and AfterDeadLetter.{nameof(AfterDeadLetter.DeadLetterKey)} was chosen: this one was not handled."));
                    break;
            }
        }

        var outcome = ReferenceEquals(delivery.Forwarding, Forwarding.MarkFinished)
            || ReferenceEquals(delivery.Forwarding, Forwarding.MarkFinishedAndDeadLetterKey) ? Outcome.One
            : await HandleAsync(queue).ConfigureAwait(false);
        return outcome.Finished > 0 && delivery is { BlockedRecord: { } blocked, Forwarding: null or { Retry: null } }
            && !ReferenceEquals(delivery.Forwarding, Forwarding.Republish)
            ? await MarkFinishedAsync(delivery, blockedKeys, blocked).ConfigureAwait(false)
            : outcome;
    }

    // A record is finished for good. If a committed offset cannot say so, a key checkpoint is written before the next message of the key is handled.
    private async ValueTask<Outcome> MarkFinishedAsync(Delivery delivery, BlockedKeys blockedKeys, BlockedRecord blocked)
    {
        var deadLetterOthers = ReferenceEquals(delivery.Forwarding, Forwarding.MarkFinishedAndDeadLetterKey)
            || (!blocked.IsStranger && delivery.Forwarding?.Error is not (null or KeyDeadLetteredException)
                && _settings.Retry.AfterDeadLetter is AfterDeadLetter.DeadLetterKey);
        var finishedRecords = deadLetterOthers ? blockedKeys.DeadLetterKey(blocked) ?? blockedKeys.PrepareFinish(blocked) : blockedKeys.PrepareFinish(blocked);
        if (finishedRecords is { } record)
        {
            var source = _settings.Retries!.Source;
            try
            {
                await _settings.FailureTopics!.MarkFinishedAsync(delivery, source, _settings.Group, record).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                delivery.Forwarding = deadLetterOthers ? Forwarding.MarkFinishedAndDeadLetterKey : Forwarding.MarkFinished;
                return RetryPublish(delivery, failure, _settings.FailureTopics!.RetryNameFor(source), finishedBefore: 0);
            }
        }

        blockedKeys.Finish(blocked, finishedRecords);
        return Outcome.One;
    }

    private FailureDecision Decide(Delivery delivery, Exception error)
    {
        if (PostponedException.DelayOf(error) is { } wait)
        {
            return new FailureDecision(FailureAction.Retry, wait);
        }

        var decision = _policy.Decide(error, NewContext(delivery));
        if (decision.Action is FailureAction.Retry)
        {
            _metrics.RetriedInMemory();
            ConsumingLog.RetryingInMemory(_logger, delivery.Partition.Id, delivery.Offset, delivery.Attempts, _settings.Retry.InMemory.MaxAttempts,
                Duration.Text(decision.Delay), TypeAndMessage(error));
        }

        return decision;
    }

    /// <summary>
    /// Publishes a message to the topic that its <see cref="Forwarding"/> asks for. If that fails, the message stays unfinished, blocks its key queue and is
    /// published again after a delay.
    /// </summary>
    protected async ValueTask<Outcome> ForwardAsync(Delivery delivery, int finishedBefore = 0)
    {
        var forwarding = delivery.Forwarding!;
        var failureTopics = _settings.FailureTopics!;
        var source = _settings.Retries?.Source ?? delivery.Partition.Id.Topic;
        var target = forwarding.Error is null || forwarding.Retry is not null ? failureTopics.RetryNameFor(source) : failureTopics.DeadLetterNameFor(source);
        try
        {
            if (ReferenceEquals(forwarding, Forwarding.BehindKey))
            {
                if (await failureTopics.ForwardBehindKeyAsync(delivery, source, DueAfter(TimeSpan.Zero), _settings.Group)
                    .ConfigureAwait(false) is not { } blocked)
                {
                    // It waits in its key queue until its key is free, with all later messages of the key behind it.
                    ConsumingLog.TooLargeToForward(_logger, delivery.Partition.Id, delivery.Offset, _settings.Group, target);
                    delivery.Partition.BlockedKeys!.CancelForward(delivery.Key!, delivery.Offset);
                    delivery.Forwarding = null;
                    return new Outcome(finishedBefore, OutcomeKind.Retry, TimeSpan.FromSeconds(1));
                }

                OnRecordWritten(delivery, blocked);
                _metrics.Forwarded();
                ConsumingLog.Forwarded(_logger, delivery.Partition.Id, delivery.Offset, _settings.Group, target, blocked.Partition, blocked.Offset);
                return new Outcome(finishedBefore + 1);
            }

            if (forwarding.Error is not { } error)
            {
                OnRecordWritten(delivery, await failureTopics.RepublishAsync(delivery, source).ConfigureAwait(false));
                _metrics.Republished();
                return new Outcome(finishedBefore + 1);
            }

            if (forwarding.Retry is { } retry)
            {
                if (!TryBeginForward(delivery, retry))
                {
                    return new Outcome(finishedBefore, OutcomeKind.Retry, BlockedCheckInterval);
                }

                if (await failureTopics.RetryAsync(delivery, source, forwarding, _settings.Group).ConfigureAwait(false) is not { } written)
                {
                    ConsumingLog.TooLargeToRetry(_logger, delivery.Partition.Id, delivery.Offset, _settings.Group, target);
                    CancelForward(delivery);
                    delivery.Forwarding = new Forwarding(error);
                    return await ForwardAsync(delivery, finishedBefore).ConfigureAwait(false);
                }

                OnRecordWritten(delivery, written);
                _metrics.Retried();
                ConsumingLog.RetryScheduled(_logger, retry, delivery.Partition.Id, delivery.Offset, _settings.Group, forwarding.Due, target,
                    written.Partition, written.Offset, TypeAndMessage(error));
                NotifyObservers(NewContext(delivery), error, written, forwarding.Due);
                return new Outcome(finishedBefore + 1);
            }

            var deadLetter = await failureTopics.DeadLetterAsync(delivery, source, error, _settings.Group, AttemptsBefore(delivery)).ConfigureAwait(false);
            _publishFailures.Over(deadLetter.Topic);
            if (delivery.TransactionEntry is { } entry)
            {
                // It is logged only after the commit. The delivery may be reused by then, so its values are copied.
                var (id, offset, context) = (delivery.Partition.Id, delivery.Offset, NewContext(delivery));
                entry.Committed = () =>
                {
                    _metrics.DeadLettered();
                    ConsumingLog.MovedToDeadLetters(_logger, error, id, offset, _settings.Group, target, deadLetter.Partition, deadLetter.Offset);
                    NotifyObservers(context, error, deadLetter, due: null);
                };
                entry.Finish();
                return new Outcome(finishedBefore + 1);
            }

            _metrics.DeadLettered();
            ConsumingLog.MovedToDeadLetters(_logger, error, delivery.Partition.Id, delivery.Offset, _settings.Group, target, deadLetter.Partition,
                deadLetter.Offset);
            NotifyObservers(NewContext(delivery), error, deadLetter, due: null);
            return new Outcome(finishedBefore + 1);
        }
        catch (Exception failure)
        {
            return RetryPublish(delivery, failure, target, finishedBefore);
        }
    }

    // One line: the stack comes once, with the last failure.
    private static string TypeAndMessage(Exception error) => $"{error.GetType().Name}: {ExceptionText.Message(error)}";

    private Outcome RetryPublish(Delivery delivery, Exception failure, string target, int finishedBefore)
    {
        if ((delivery.TransactionEntry?.Transaction.Token ?? delivery.Partition.Token).IsCancellationRequested)
        {
            ConsumingLog.Abandoned(_logger, delivery.Partition.Id, delivery.Offset);
            delivery.TransactionEntry?.Finish();
            return delivery.TransactionEntry is null ? new Outcome(finishedBefore, OutcomeKind.Abandoned) : new Outcome(finishedBefore + 1);
        }

        var delay = PublishBackoff.Before(++delivery.FailedPublishes);
        if (_publishFailures.IsDue(target))
        {
            ConsumingLog.PublishFailed(_logger, failure, delivery.Partition.Id, delivery.Offset, _settings.Group, target, Duration.Text(delay));
        }
        else
        {
            ConsumingLog.PublishFailedAgain(_logger, delivery.Partition.Id, delivery.Offset, _settings.Group, target, Duration.Text(delay),
                ExceptionText.Message(failure));
        }

        if (delivery.TransactionEntry is { } unsent)
        {
            unsent.PublishFailed(delay, failure);
            return new Outcome(finishedBefore + 1);
        }

        return new Outcome(finishedBefore, OutcomeKind.Retry, delay);
    }

    // Where keys are kept in order: blocks the key before the record is written, so that no later message of the key is handled.
    private static bool TryBeginForward(Delivery delivery, int attempt)
    {
        if (delivery.BlockedRecord is { } blocked)
        {
            delivery.Partition.BlockedKeys!.BeginForward(blocked, attempt);
        }
        else if (SourceKeysOf(delivery) is { } blockedKeys)
        {
            return blockedKeys.TryBeginForward(delivery.Key!, delivery.Offset, delivery.Timestamp, attempt);
        }

        return true;
    }

    // Of a message of a source partition that has its retry partition; null for every other.
    private static BlockedKeys? SourceKeysOf(Delivery delivery) => delivery is { Key: not null,
        Partition: { BlockedKeys: { } blockedKeys, Subscription.Settings.Retries: null } } ? blockedKeys : null;

    // A record was written, so the next failure to publish to its topic is logged in full again.
    private void OnRecordWritten(Delivery delivery, SendResult written)
    {
        _publishFailures.Over(written.Topic);
        UpdateBlockedKeys(delivery, written.Offset);
    }

    private void UpdateBlockedKeys(Delivery delivery, long offset)
    {
        if (delivery is { Key: { } key, Partition.BlockedKeys: { } blockedKeys })
        {
            // Not for a stranger's record: it is not read back as the same one.
            if (_settings.Retries is null)
            {
                blockedKeys.OnForwarded(key, delivery.Offset, offset);
            }
            else if (delivery.BlockedRecord is { IsStranger: false })
            {
                blockedKeys.OnForwarded(key, FailureTopics.OriginOf(delivery, _settings.Group).Offset, offset);
            }
        }
    }

    private static void CancelForward(Delivery delivery)
    {
        if (delivery.BlockedRecord is { } blocked)
        {
            delivery.Partition.BlockedKeys!.CancelForward(blocked);
        }
        else if (SourceKeysOf(delivery) is { } blockedKeys)
        {
            blockedKeys.CancelForward(delivery.Key!, delivery.Offset);
        }
    }

    private MessageOrigin OriginOf(Delivery delivery)
    {
        var here = delivery.Partition.OriginIn(_settings.Group, _settings.Sender);
        if (delivery.TransactionEntry is { } entry)
        {
            here = here with { Sender = entry };
        }

        if (_settings.Retries is null)
        {
            return here;
        }

        var headers = delivery.Headers ?? [];
        var original = FailureHeaders.OriginOf(headers);
        return here with
        {
            IsRetried = true,
            Failure = FailureHeaders.FailureOf(headers),
            Retry = FailureHeaders.AttemptOf(headers, _settings.FailureTopics!.TopicPolicy?.Attempts ?? 0),
            Original = original is { } origin ? new TopicPartitionOffsetId(origin.Topic, origin.Partition, origin.Offset) : null,
            OriginalTimestamp = original is { } first ? TimeOf(first.Timestamp) : null,
        };
    }

    // To the next millisecond, which is how it is written: never early.
    private DateTimeOffset DueAfter(TimeSpan delay) => DateTimeOffset.FromUnixTimeMilliseconds((_time.GetUtcNow() + delay).ToUnixTimeMilliseconds() + 1);

    private int? AttemptsBefore(Delivery delivery) => OriginOf(delivery).Retry is > 0 and { } attempts ? attempts : null;

    private static DateTimeOffset TimeOf(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(milliseconds, 0, LastTimestamp));

    private void NotifyObservers(MessageContext context, Exception error, SendResult written, DateTimeOffset? due)
    {
        foreach (var observer in _settings.Observers)
        {
            try
            {
                var failed = new FailedMessage(error, context);
                if (due is { } time)
                {
                    observer.OnRetryScheduled(failed, written, time);
                }
                else
                {
                    observer.OnDeadLettered(failed, written);
                }
            }
            catch (Exception thrown)
            {
                // The record is written, so an observer that throws changes nothing.
                ConsumingLog.ObserverFailed(_logger, thrown, new TopicPartitionId(context.Topic, context.Partition), context.Offset);
            }
        }
    }
}
