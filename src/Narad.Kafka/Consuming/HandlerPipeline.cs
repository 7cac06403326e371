using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;

namespace Narad.Kafka.Consuming;

/// <summary>
/// From bytes to a finished message: deserializes, runs middleware and handler, and turns what they throw into an <see cref="Outcome"/>.
/// Never throws, never stores an offset, never decides what runs when. Thread-safe: one instance serves all workers of a subscription.
/// </summary>
internal abstract class HandlerPipeline
{
    // A sender that counts in microseconds writes a time beyond the calendar: the message is none the worse for it.
    private static readonly long LastTimestamp = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    private static readonly Backoff CopyBackoff = Backoff.Exponential(TimeSpan.FromMilliseconds(250), max: TimeSpan.FromSeconds(30));

    private readonly SubscriptionSettings _settings;
    private readonly FailurePolicy _policy;
    private readonly ConsumingMetrics _metrics;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;

    protected HandlerPipeline(SubscriptionSettings settings, ConsumingMetrics metrics, KafkaDiagnostics diagnostics)
    {
        _settings = settings;
        _metrics = metrics;
        _logger = diagnostics.Logger<HandlerPipeline>();
        _policy = new FailurePolicy(settings.Retry, settings.DeadLetters is not null, _logger);
        _time = diagnostics.Time;
    }

    protected SubscriptionSettings Settings => _settings;

    /// <summary>When a batch is complete; null where messages are handled one by one.</summary>
    public virtual BatchLimits? Batch => null;

    /// <summary>Runs the first <see cref="Lane.Taken"/> messages of a lane, which belong to the caller until this completes.</summary>
    public abstract ValueTask<Outcome> RunAsync(Lane lane);

    protected bool IsUnwantedTombstone(Delivery delivery) => delivery.Value is null && !_settings.Tombstones;

    /// <summary>Counts a tombstone that is finished without having been handled; once a message.</summary>
    protected void CountTombstone() => _metrics.TombstoneFinished();

    protected MessageContext NewContext(Delivery delivery) => new(delivery.Partition.OriginIn(_settings.Group))
    {
        Offset = delivery.Offset,
        Key = MessageKey.From(delivery.Key),
        Headers = delivery.Headers is { } headers ? new MessageHeaders(headers) : null!,   // without any, made when first asked for
        Timestamp = DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(delivery.Timestamp, 0, LastTimestamp)),
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

        return context.RawValue is { } value ? _settings.Decoder.DecodeAsync<T>(value, context, cancellationToken) : new ValueTask<T>(default(T)!);
    }

    /// <summary>The handler's token: the assignment's, and the time limit's where there is one.</summary>
    protected TimeLimit? LimitTime(CancellationToken assignment) => _settings.Timeout is { } limit ? new TimeLimit(limit, _time, _logger, assignment) : null;

    /// <summary>Starts the consuming activity, as a child of the sender's, when somebody listens.</summary>
    protected Activity? StartActivity(MessageContext context)
    {
        if (!KafkaDiagnostics.Activities.HasListeners())
        {
            return null;
        }

        var parent = ActivityContext.TryParse(context.Headers.GetText("traceparent"), context.Headers.GetText("tracestate"), isRemote: true, out var sender) ? sender : default;
        var activity = KafkaDiagnostics.Activities.StartActivity($"{context.Topic} process", ActivityKind.Consumer, parent);
        if (activity is not null)
        {
            activity.SetTag("messaging.system", "kafka");
            activity.SetTag("messaging.operation.type", "process");
            activity.SetTag("messaging.destination.name", context.Topic);
            activity.SetTag("messaging.destination.partition.id", context.Partition);
            activity.SetTag("messaging.kafka.offset", context.Offset);
            activity.SetTag("messaging.consumer.group.name", context.Group);
        }

        return activity;
    }

    /// <summary>What becomes of a message whose invocation threw.</summary>
    protected async ValueTask<Outcome> ConcludeAsync(Delivery delivery, Exception error, bool timedOut, int finishedBefore = 0)
    {
        if (delivery.Partition.Token.IsCancellationRequested)
        {
            ConsumingLog.Abandoned(_logger, delivery.Partition.Id, delivery.Offset);
            return new Outcome(finishedBefore, OutcomeKind.Abandoned);
        }

        if (timedOut && error is OperationCanceledException)
        {
            error = new TimeoutException($"The handler of {delivery.Partition.Id} offset {delivery.Offset} took longer than its limit of {Duration.Text(_settings.Timeout.GetValueOrDefault())}.", error);
        }

        if (_settings.Circuit is { } circuit && circuit.Failed(delivery, error))
        {
            delivery.Attempts--;
            ConsumingLog.HandedBack(_logger, error, delivery.Partition.Id, delivery.Offset, _settings.Group);
            return new Outcome(finishedBefore, OutcomeKind.Repeat);
        }

        var verdict = _policy.Judge(error, NewContext(delivery));
        switch (verdict.Action)
        {
            case FailureAction.Retry:
                _metrics.Repeated();
                ConsumingLog.Repeating(_logger, error, delivery.Partition.Id, delivery.Offset, delivery.Attempts, _settings.Retry.InMemoryRetries, Duration.Text(verdict.Delay));
                return new Outcome(finishedBefore, OutcomeKind.Repeat, verdict.Delay);

            case FailureAction.Skip:
                _metrics.SkippedByPolicy();
                ConsumingLog.SkippedByPolicy(_logger, error, delivery.Partition.Id, delivery.Offset, _settings.Group);
                return new Outcome(finishedBefore + 1);

            case FailureAction.DeadLetter:
                delivery.Condemned = error;
                return await BuryAsync(delivery, finishedBefore).ConfigureAwait(false);

            default:
                return new Outcome(finishedBefore, OutcomeKind.Failed, Error: error);
        }
    }

    /// <summary>Moves a condemned message to the dead-letter topic; where that fails it stays unfinished, holds its lane and is tried again.</summary>
    protected async ValueTask<Outcome> BuryAsync(Delivery delivery, int finishedBefore = 0)
    {
        var error = delivery.Condemned!;
        var deadLetters = _settings.DeadLetters!;
        var name = deadLetters.NameFor(delivery.Partition.Id.Topic);
        try
        {
            // Not with the assignment's token: a copy that is under way may be written whatever we do, so its answer is waited for.
            var copy = await deadLetters.PublishAsync(delivery, error, _settings.Group, CancellationToken.None).ConfigureAwait(false);
            _metrics.DeadLettered();
            ConsumingLog.MovedToDeadLetters(_logger, error, delivery.Partition.Id, delivery.Offset, _settings.Group, name, copy.Partition, copy.Offset);
            return new Outcome(finishedBefore + 1);
        }
        catch (Exception failure)
        {
            if (delivery.Partition.Token.IsCancellationRequested)
            {
                ConsumingLog.Abandoned(_logger, delivery.Partition.Id, delivery.Offset);
                return new Outcome(finishedBefore, OutcomeKind.Abandoned);
            }

            var delay = CopyBackoff.Before(++delivery.FailedCopies);
            ConsumingLog.DeadLetterFailed(_logger, failure, delivery.Partition.Id, delivery.Offset, _settings.Group, name, Duration.Text(delay));
            return new Outcome(finishedBefore, OutcomeKind.Repeat, delay);
        }
    }
}
