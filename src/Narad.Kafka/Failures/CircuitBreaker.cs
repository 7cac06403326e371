using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Failures;

/// <summary>
/// Tells an outage of what a handler needs from messages that cannot be handled: while too many fail, it lets nothing start but one message now and then.
/// It starts nothing itself: <see cref="KeyQueueScheduler"/> asks it, and is woken when the answer may have changed.
/// </summary>
/// <remarks>
/// Thread-safe. One serves all schedulers of a subscription, and hands out one probe in all. Its lock is taken under a scheduler's, never the other way
/// round: schedulers are woken outside it.
/// <code>
///   Closed ──too many failed──▶ Open ──timer──▶ HalfOpen ──its success──▶ Closed (nothing counted)
///                                ▲                 │
///                                └──its failure────┘   the next wait is longer
/// </code>
/// In HalfOpen the probe is free (nothing ready, or the last one told nothing) or out: with one message, until that succeeds, fails, ends otherwise or its
/// partition goes.
/// </remarks>
internal sealed class CircuitBreaker
{
    /// <summary>
    /// As which failed probe the same message counts like any failure, so that one that can never succeed does not keep the circuit open for ever.
    /// </summary>
    public const int MostProbesOfOne = 3;

    private readonly CircuitBreakerOptions _options;
    private readonly bool _onlyOutages;   // whether only a store or Kafka that does not answer opens it
    private readonly Backoff _breakDelay;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly FailureWindow _window;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();

    // Written under _lock, read by anybody.
    private volatile CircuitState _state;
    private volatile Delivery? _probe;      // the message that is out as a probe; only while HalfOpen
    private volatile CircuitOutage? _outage;
    private ImmutableArray<KeyQueueScheduler> _schedulers = [];

    // Under _lock.
    private int _openings;      // since it was closed
    private long _openedAt;
    private bool _ended;

    public CircuitBreaker(CircuitBreakerOptions options, string topic, string group, KafkaDiagnostics diagnostics, bool onlyOutages = false)
    {
        _options = options;
        _onlyOutages = onlyOutages;
        _breakDelay = options.Backoff;
        Topic = topic;
        Group = group;
        _time = diagnostics.Time;
        _logger = diagnostics.Logger<CircuitBreaker>();
        _window = new FailureWindow((long)(options.SamplingDuration.TotalSeconds * _time.TimestampFrequency));
        _timer = _time.CreateTimer(static state => ((CircuitBreaker)state!).Probe(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public string Topic { get; }

    public string Group { get; }

    public CircuitState State => _state;

    /// <summary>Null while it is closed.</summary>
    public CircuitOutage? Outage => _outage;

    /// <summary>Whether asking <see cref="TryStart"/> may help; when that becomes true, the schedulers are woken.</summary>
    public bool MayStart => _state is CircuitState.Closed || (_state is CircuitState.HalfOpen && _probe is null);

    /// <summary>One more scheduler asks it.</summary>
    public void Add(KeyQueueScheduler scheduler) => ImmutableInterlocked.Update(ref _schedulers, static (all, added) => all.Add(added), scheduler);

    /// <summary>A scheduler starts nothing any more. With the last one it ends: it is closed and stays so.</summary>
    public void Remove(KeyQueueScheduler scheduler)
    {
        ImmutableInterlocked.Update(ref _schedulers, static (all, removed) => all.Remove(removed), scheduler);
        lock (_lock)
        {
            if (_schedulers.IsEmpty)
            {
                _ended = true;
                _timer.Dispose();
                Reset();
            }
        }
    }

    /// <summary>Whether this message may start now. While it probes, the first that asks is the probe.</summary>
    public bool TryStart(Delivery delivery)
    {
        if (_state is CircuitState.Closed)
        {
            return true;
        }

        lock (_lock)
        {
            if (_state is CircuitState.HalfOpen && _probe is null)
            {
                _probe = delivery;
                return true;
            }

            return _state is CircuitState.Closed;
        }
    }

    /// <summary>Whether this message is out as the probe.</summary>
    public bool IsProbe(Delivery delivery) => ReferenceEquals(_probe, delivery);

    /// <summary>A handler handled this message (or the batch that it is the first of).</summary>
    public void Succeeded(Delivery delivery)
    {
        if (_state is CircuitState.Closed)
        {
            if (delivery.Attempts == 1)
            {
                _window.CountSuccess(_time.GetTimestamp());
            }
        }
        else if (IsProbe(delivery))
        {
            Close(delivery);
        }
    }

    /// <summary>A handler failed at this message, and not because its token was cancelled.</summary>
    /// <returns>True: an outage is to blame. Nothing becomes of the message, it stays at the head of its key queue, and its invocation does not
    /// count.</returns>
    public bool Failed(Delivery delivery, Exception error)
    {
        var kind = KindOf(error);
        switch (kind)
        {
            case FailureKind.Unrelated:
                return false;
            case FailureKind.Answered:
                Succeeded(delivery);
                return false;
        }

        bool isProbe;
        var counted = default((long Messages, long Failures));
        TimeSpan wait;
        lock (_lock)
        {
            isProbe = IsProbe(delivery);
            if (_state is CircuitState.Closed)
            {
                if (!Opens(delivery, kind, out counted))
                {
                    return kind is FailureKind.Outage;
                }
            }
            else if (!isProbe)
            {
                return true;
            }

            wait = Open(error);
        }

        if (!isProbe)
        {
            ConsumingLog.CircuitOpened(_logger, error, Topic, Group, counted.Failures, counted.Messages, Duration.Text(_options.SamplingDuration),
                Duration.Text(wait));
            return true;
        }

        ConsumingLog.ProbeFailed(_logger, error, Topic, Group, delivery.Partition.Id, delivery.Offset, Duration.Text(wait));
        if (kind is FailureKind.Outage || ++delivery.FailedProbes < MostProbesOfOne)
        {
            return true;
        }

        ConsumingLog.ProbeCounted(_logger, delivery.Partition.Id, delivery.Offset, Group, delivery.FailedProbes);
        return false;
    }

    /// <summary>A message's invocation ended. Where it was the probe and told nothing (cancelled, not handled at all), another one may be.</summary>
    public void InvocationEnded(Delivery delivery)
    {
        if (IsProbe(delivery))
        {
            Recall(static (probe, ended) => ReferenceEquals(probe, ended), delivery);
        }
    }

    /// <summary>A partition is not ours any more: its handler may hang for ever, and the others do not wait for it.</summary>
    public void Forget(AssignedPartition partition)
    {
        if (_state is CircuitState.HalfOpen)
        {
            Recall(static (probe, gone) => ReferenceEquals(probe.Partition, gone), partition);
        }
    }

    private void Recall<T>(Func<Delivery, T, bool> isMeant, T meant)
    {
        lock (_lock)
        {
            if (_probe is not { } probe || !isMeant(probe, meant))
            {
                return;
            }

            _probe = null;
        }

        Wake();
    }

    private FailureKind KindOf(Exception error) => error switch
    {
        DeadLetterException or RetryLaterException or MessageDeserializationException or UnknownMessageTypeException => FailureKind.Unrelated,
        _ when FailurePolicy.Has(error, static cause => cause is StoreUnavailableException or KafkaSendException { IsOutage: true }) => FailureKind.Outage,
        _ when _onlyOutages || (_options.ExceptionTypes.Count > 0 && !_options.ExceptionTypes.Any(type => FailurePolicy.Has(error, type))) =>
            FailureKind.Answered,
        _ => FailureKind.Counted,
    };

    // Whether a failure opens the closed circuit. A message's first attempt counts only.
    private bool Opens(Delivery delivery, FailureKind kind, out (long Messages, long Failures) counted)
    {
        counted = default;
        if (_ended || (kind is FailureKind.Counted && delivery.Attempts != 1))
        {
            return false;
        }

        var now = _time.GetTimestamp();
        _window.CountFailure(now);
        counted = _window.Read(now);
        var opens = kind is FailureKind.Outage
            || (counted.Messages >= _options.MinimumThroughput && counted.Failures >= counted.Messages * _options.FailureRatio);
        _openedAt = opens ? now : _openedAt;
        return opens;
    }

    private TimeSpan Open(Exception error)
    {
        _outage = new CircuitOutage(error.GetType(), _outage?.Since ?? _time.GetUtcNow());
        _state = CircuitState.Open;
        _probe = null;
        var wait = _breakDelay.Before(++_openings);
        _timer.Change(wait, Timeout.InfiniteTimeSpan);
        return wait;
    }

    private void Probe()
    {
        lock (_lock)
        {
            if (_state is not CircuitState.Open)
            {
                return;
            }

            _state = CircuitState.HalfOpen;
        }

        Wake();
    }

    private void Close(Delivery probe)
    {
        TimeSpan open;
        lock (_lock)
        {
            if (!IsProbe(probe))
            {
                return;
            }

            open = _time.GetElapsedTime(_openedAt);
            Reset();
        }

        ConsumingLog.CircuitClosed(_logger, Topic, Group, Duration.Text(open));
        Wake();
    }

    private void Reset()
    {
        _window.Clear();
        _openings = 0;
        _outage = null;
        _probe = null;
        _state = CircuitState.Closed;
    }

    private void Wake()
    {
        foreach (var scheduler in _schedulers)
        {
            scheduler.Wake();
        }
    }

    /// <summary>What a failure says of what the handler needs; decided before anything is counted.</summary>
    private enum FailureKind
    {
        /// <summary>Nothing.</summary>
        Unrelated,

        /// <summary>It has answered.</summary>
        Answered,

        /// <summary>Perhaps it does not answer: too many of these open the circuit.</summary>
        Counted,

        /// <summary>A store or Kafka does not answer: one is enough, and no message is to blame.</summary>
        Outage,
    }
}
