using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>
/// The one door to the client: first come, first served within a topic, whatever a send has to wait for. A send that finds nobody waiting goes straight through;
/// otherwise it joins the line and goes when its turn has come. It never blocks a thread, and never calls user code except loggers.
/// </summary>
/// <remarks>
/// Thread-safe. The lock is held while a message is handed to the client, so that order is the order of tickets; reports of the client do not
/// take it unless somebody waits. The types that it is made of (<see cref="ProducerLife"/>, <see cref="WaitingSends"/>, <see cref="SendDeadlines"/>,
/// <see cref="TopicCreations"/>, <see cref="TopicLimits"/>, <see cref="BatchRefusals"/>) share that one lock.
/// </remarks>
internal sealed class SendLine
{
    private const int PumpRun = 256;

    private static readonly TimeSpan DisposeGrace = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly SendPool _pool = new();
    private readonly SendTally _tally = new();
    private readonly CancellationTokenSource _stopped = new();
    private readonly ClientDisposals _disposals;
    private readonly ProducerLife _life;
    private readonly WaitingSends _waiting;
    private readonly SendDeadlines _deadlines;
    private readonly TopicCreations? _creations;
    private readonly TopicLimits? _limits;
    private readonly BatchRefusals _refusals;
    private readonly ISendGate? _gate;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    // Under the lock.
    private long _ticket;
    private long _resumeAt;
    private Task<SendCounts>? _stop;

    // Written under the lock, read without it.
    private volatile bool _queueFull;
    private volatile bool _stopping;

    // Interlocked.
    private int _pumpScheduled;

    /// <summary>A line without a client yet.</summary>
    /// <param name="build">Builds a client.</param>
    /// <param name="ensure">Creates missing topics; null: that is not wanted.</param>
    /// <param name="gate">Holds sends back while the broker has no room; null: it always has.</param>
    /// <param name="learnLimits">Whether there are brokers that refuse batches for their size and can be asked for the limit.</param>
    /// <param name="timeout">How long a send may take.</param>
    /// <param name="diagnostics">Time and logs.</param>
    public SendLine(Func<ProducerGeneration, IProducerClient> build, IKafkaTopics? ensure, ISendGate? gate, bool learnLimits, TimeSpan timeout, KafkaDiagnostics diagnostics)
    {
        _gate = gate;
        _timeout = timeout;
        _time = diagnostics.Time;
        _logger = diagnostics.Logger<MessageProducer>();
        _disposals = new ClientDisposals(_time, _logger);
        _life = new ProducerLife(this, _lock, build, _disposals, _time, _logger, _stopped.Token);
        _waiting = new WaitingSends(ensure is not null, learnLimits);
        _deadlines = new SendDeadlines(this, _lock, timeout, _time);
        _creations = ensure is null ? null : new TopicCreations(this, _lock, ensure, _stopped.Token);
        _limits = learnLimits ? new TopicLimits(this, _lock, timeout, _time, _logger, _stopped.Token) : null;
        _refusals = new BatchRefusals(this, _lock, _limits, _time, _logger, _stopped.Token);
    }

    public ProducerHealth Health
    {
        get
        {
            lock (_lock)
            {
                return new ProducerHealth(_life.State, _life.Reason is { } reason ? SendFailure.Text(reason) : null);
            }
        }
    }

    /// <summary>How many were accepted and have no outcome yet.</summary>
    public long InFlight => _tally.Outstanding;

    public long Delivered => _tally.Delivered;

    public long Failed => _tally.Failed;

    /// <summary>The client that takes sends now; null where there is none. Under the lock.</summary>
    public IProducerClient? Client => _life.State == ProducerState.Running ? _life.Generation!.Client : null;

    /// <summary>Builds the first client.</summary>
    public void Open() => _life.Open();

    /// <summary>The answer to sending before and after.</summary>
    /// <exception cref="KafkaNotConnectedException">Not open, or stopping.</exception>
    public void ThrowIfNotConnected()
    {
        if (_stopping || _life.State == ProducerState.New)
        {
            throw new KafkaNotConnectedException(_stopping
                ? "The service is not connected: it was disconnected, and nothing can be sent any more."
                : "The service is not connected: call ConnectProducerAsync before sending.");
        }
    }

    public PendingSend Rent(string topic)
    {
        var send = _pool.Rent(this);
        send.Line = _waiting.Of(topic);
        return send;
    }

    public void Return(PendingSend send) => _pool.Return(send);

    /// <summary>Sends what is ready, or gives it its place in the line.</summary>
    public void Accept(PendingSend send)
    {
        lock (_lock)
        {
            ThrowIfNotConnected();
            send.Ticket = ++_ticket;
            _tally.Accept();
            if (_life.State == ProducerState.Running && !_queueFull && !_refusals.Draining && send.Line.Waiting.Count == 0 && send.Line.MayGo(send) && HandOver(send))
            {
                return;
            }

            Join(send, SendStage.Waiting);
        }
    }

    /// <summary>Gives a send its place before it is ready; <see cref="Ready"/> or <see cref="Withdraw"/> must follow.</summary>
    public void Reserve(PendingSend send)
    {
        lock (_lock)
        {
            ThrowIfNotConnected();

            // What middleware sends does not wait for messages whose middleware is still at work: these may be waiting for it.
            send.Ticket = send.Depth > 0 && send.Line.Waiting.FirstAbove(send.Depth) is { } above ? above.Ticket : ++_ticket;
            _tally.Accept();
            Join(send, SendStage.Preparing);
        }
    }

    /// <summary>A reserved send is complete now. Where it left the line meanwhile, nothing happens: it was completed then.</summary>
    public void Ready(PendingSend send)
    {
        lock (_lock)
        {
            if (send.Stage == SendStage.Preparing)
            {
                send.Stage = SendStage.Waiting;
                SchedulePump();
                return;
            }
        }

        send.LetGo();
    }

    /// <summary>A reserved send moves to another topic's line, to the place that its ticket has there.</summary>
    public void Move(PendingSend send, string topic)
    {
        lock (_lock)
        {
            if (send.Stage != SendStage.Preparing)
            {
                return;
            }

            _waiting.Remove(send);
            send.Line = _waiting.Of(topic);
            _waiting.Insert(send);
            Prepare(send.Line);
            SchedulePump();
        }
    }

    /// <summary>A reserved send will not be sent: its serializer threw, or middleware answered by itself.</summary>
    public void Withdraw(PendingSend send, Exception reason)
    {
        lock (_lock)
        {
            if (send.Stage == SendStage.Preparing)
            {
                Leave(send, reason);
            }
        }

        send.LetGo();
    }

    /// <summary>Stops the waiting; a send that is still in the line leaves it.</summary>
    public void Cancel(PendingSend send, CancellationToken cancellationToken)
    {
        var cancelled = new OperationCanceledException(cancellationToken);
        lock (_lock)
        {
            if (send.Stage is SendStage.Preparing or SendStage.Waiting)
            {
                Leave(send, cancelled);
                return;
            }
        }

        send.TryComplete(cancelled);
    }

    /// <summary>The client's answer to one send. On the client's thread: never throws, never blocks for long.</summary>
    public void Reported(PendingSend send, int partition, long offset, ErrorCode code, PersistenceStatus status)
    {
        var generation = send.Generation!;
        var line = send.Line;
        var bytes = send.Bytes;
        if (!generation.TryTake(send))
        {
            return;
        }

        if (code == ErrorCode.NoError)
        {
            _gate?.Acknowledged(line.Topic, partition, offset, bytes);
            if (_logger.IsEnabled(LogLevel.Debug))
            {
                LogSent(line.Topic, partition, offset, send.Key, bytes);
            }

            if (_refusals.Draining)
            {
                _refusals.WarnIfInverted(send, partition);
            }

            if (line.Limit == TopicLimit.Untold)
            {
                _limits!.Delivered(line);
            }

            _life.Delivered();
            _tally.CountDelivered();
            send.TryComplete(new SendResult(line.Topic, partition, offset));
            Finish(send);
        }
        else
        {
            _gate?.Failed(line.Topic, bytes);
            if (!_refusals.TrySendAgain(generation, send, code, status))
            {
                var mayHaveBeenWritten = status != PersistenceStatus.NotPersisted;
                Fail(send, generation.Fatal is { } fatal
                    ? SendFailure.Fatal(send, fatal, mayHaveBeenWritten)
                    : SendFailure.Refused(send, code, reason: null, mayHaveBeenWritten));
            }
        }

        // Only now: who sees nothing in flight must find what goes again in its place in the line.
        line.Left(bytes);
        generation.Left();
        if (_waiting.Any && !_refusals.Draining && (!_queueFull || generation.InFlight <= Volatile.Read(ref _resumeAt)))
        {
            SchedulePump();
        }
    }

    /// <summary>Waits for what was accepted, fails what is left at the deadline as unknown, and closes the client. A second call returns the first call's task.</summary>
    public Task<SendCounts> StopAsync(TimeSpan timeout)
    {
        lock (_lock)
        {
            return _stop ??= Task.Run(() => StopCoreAsync(timeout));
        }
    }

    /// <summary>Whether this client takes sends now. Under the lock.</summary>
    public bool IsCurrent(ProducerGeneration generation) => _life.IsCurrent(generation);

    /// <summary>The client ended: nothing goes until there is another one. Under the lock.</summary>
    public void ClientEnded()
    {
        _refusals.Abandon();
        _queueFull = false;
    }

    /// <summary>There is another client. Under the lock.</summary>
    public void ClientBuilt()
    {
        _queueFull = false;
        foreach (var line in _waiting.Lines)
        {
            Prepare(line);
        }

        SchedulePump();
    }

    /// <summary>What is known of a topic changed. Under the lock.</summary>
    public void Changed(TopicLine line)
    {
        _waiting.Update(line);
        Prepare(line);
        SchedulePump();
    }

    /// <summary>A send that was with the client takes its place in the line again. Under the lock.</summary>
    public void WaitAgain(PendingSend send)
    {
        send.Stage = SendStage.Waiting;
        _waiting.Insert(send);
        _deadlines.Waits(send);
    }

    /// <summary>Fails all that wait for a topic. Under the lock.</summary>
    public void FailWaiting(TopicLine line, Func<PendingSend, KafkaSendException> reason)
    {
        while (line.Waiting.First is { } send)
        {
            _tally.CountFailed();
            Leave(send, reason(send));
        }
    }

    /// <summary>Fails all that wait. Under the lock.</summary>
    public void FailAllWaiting(Func<PendingSend, KafkaSendException> reason)
    {
        foreach (var line in (TopicLine[])[.. _waiting.Lines])
        {
            FailWaiting(line, reason);
        }
    }

    /// <summary>Fails all that a dead client did not give back.</summary>
    public void FailWithClient(ProducerGeneration generation, Error error)
    {
        while (generation.Peek() is { } send)
        {
            if (generation.TryTake(send))
            {
                send.Line.Left(send.Bytes);
                generation.Left();
                _gate?.Failed(send.Line.Topic, send.Bytes);
                _tally.CountFailed();
                send.TryComplete(SendFailure.Fatal(send, error, mayHaveBeenWritten: true));
                _tally.Done();
            }
        }
    }

    /// <summary>Fails what has waited for too long, and asks again where no report can: an empty client whose queue was just full. Under the lock.</summary>
    /// <returns>Whether somebody still waits.</returns>
    public bool ExpireWaiting(long now)
    {
        foreach (var line in (TopicLine[])[.. _waiting.Lines.Where(line => line.Waiting.First!.Deadline <= now)])
        {
            while (line.Waiting.First is { } first && first.Deadline <= now)
            {
                _tally.CountFailed();
                Leave(first, SendFailure.TimedOut(first, _timeout, WaitedFor(first)));
            }
        }

        if (!_waiting.Any)
        {
            return false;
        }

        _queueFull &= _life.Generation is { InFlight: > 0 };
        SchedulePump();
        return true;
    }

    /// <summary>Fails, for their awaiters, sends whose time is over and that are with the client: what becomes of them it says later. Under the lock.</summary>
    /// <returns>The next deadline of one that is with the client; <see cref="long.MaxValue"/> where there is none.</returns>
    public long ExpireWithClient(long now) => _life.Generation?.Expire(now) ?? long.MaxValue;

    /// <summary>Sees, on another thread, whether somebody can go.</summary>
    public void SchedulePump()
    {
        if (Interlocked.Exchange(ref _pumpScheduled, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static line => line.Pump(), this, preferLocal: false);
        }
    }

    private async Task<SendCounts> StopCoreAsync(TimeSpan timeout)
    {
        var started = _time.GetTimestamp();
        Task idle;
        lock (_lock)
        {
            _stopping = true;
            idle = _tally.WhenIdle();
        }

        try
        {
            await idle.WaitAsync(timeout, _time);
        }
        catch (TimeoutException)
        {
            // What has no answer now is unknown: counted and failed below.
        }

        ProducerGeneration? generation;
        lock (_lock)
        {
            generation = _life.Stop();
            foreach (var line in (TopicLine[])[.. _waiting.Lines])
            {
                while (line.Waiting.First is { } waiting)
                {
                    _tally.CountUnknown();
                    Leave(waiting, SendFailure.Unknown(waiting, mayHaveBeenWritten: false));
                }
            }
        }

        await _stopped.CancelAsync();
        if (generation is not null)
        {
            while (generation.Peek() is { } send)
            {
                // A send that is given up never returns to the pool: its report may still come.
                if (generation.TryTake(send))
                {
                    _tally.CountUnknown();
                    send.TryComplete(SendFailure.Unknown(send, mayHaveBeenWritten: true));
                    _tally.Done();
                }
            }

            _disposals.Dispose(generation.Client);
        }

        var left = timeout - _time.GetElapsedTime(started);
        var abandoned = await _disposals.WaitAsync(left > DisposeGrace ? left : DisposeGrace);
        await _deadlines.DisposeAsync();
        var counts = new SendCounts(_tally.Delivered, _tally.Failed, _tally.Unknown, abandoned);
        ProducingLog.Disconnected(_logger, counts.Delivered, counts.Failed, counts.Unknown);
        return counts;
    }

    // Under the lock. True: it is with the client, or failed for good; false: it has to wait.
    private bool HandOver(PendingSend send)
    {
        var line = send.Line;
        var generation = _life.Generation!;
        if (_gate is not null && !_gate.TryEnter(line.Topic, send.Bytes))
        {
            line.GateClosed = true;
            _ = WaitForRoomAsync(line);
            return false;
        }

        send.Stage = SendStage.Sent;
        send.Generation = generation;
        _deadlines.HandedOver(send);
        line.Entered(send);
        generation.Entered(send);
        var error = generation.Client.TryProduce(send);
        if (error.Code == ErrorCode.NoError)
        {
            return true;
        }

        generation.TryTake(send);
        line.Left(send.Bytes);
        generation.Left();
        _gate?.Failed(line.Topic, send.Bytes);
        if (error.Code == ErrorCode.Local_QueueFull)
        {
            // Room for an eighth is waited for: asking after every report would cost an exception each.
            var inFlight = generation.InFlight;
            Volatile.Write(ref _resumeAt, inFlight - Math.Max(1, inFlight / 8));
            _queueFull = true;
            return false;
        }

        if (SendFailure.IsFatalAnswer(error))
        {
            _ = Task.Run(() => _life.Fatal(generation, error));
            return false;
        }

        Fail(send, SendFailure.Refused(send, error.Code, error.Reason, mayHaveBeenWritten: false));
        return true;
    }

    // Under the lock.
    private void Join(PendingSend send, SendStage stage)
    {
        send.Stage = stage;
        _waiting.Insert(send);
        if (_life.State == ProducerState.Refused)
        {
            _tally.CountFailed();
            Leave(send, SendFailure.Fatal(send, _life.Reason!, mayHaveBeenWritten: false));
            return;
        }

        _deadlines.Waits(send);
        Prepare(send.Line);

        // A report that came just before the flags were set woke nobody.
        Interlocked.MemoryBarrier();
        if (_life.Generation is { } generation && (!_queueFull || generation.InFlight <= Volatile.Read(ref _resumeAt)))
        {
            SchedulePump();
        }
    }

    // Under the lock. Has done what the topic's sends wait for, one after the other: it is created first, because a missing topic has no limit to tell.
    private void Prepare(TopicLine line)
    {
        if (line.Waiting.Count == 0)
        {
            return;
        }

        if (line.Existence == TopicExistence.Unknown)
        {
            _creations!.Begin(line);
        }
        else if (line.Existence == TopicExistence.Assured && line.Limit == TopicLimit.Unasked && _life.State == ProducerState.Running)
        {
            _limits!.Ask(line);
        }
    }

    // Under the lock: it leaves without having gone. Whoever waits behind it may go now.
    private void Leave(PendingSend send, Exception reason)
    {
        var ready = send.Stage == SendStage.Waiting;
        _waiting.Remove(send);
        send.Stage = SendStage.Left;
        _tally.Done();
        send.TryComplete(reason);
        if (ready)
        {
            // Else whoever prepares it lets it go.
            send.LetGo();
        }

        if (_waiting.Any)
        {
            SchedulePump();
        }
    }

    private void Pump()
    {
        Volatile.Write(ref _pumpScheduled, 0);
        Interlocked.MemoryBarrier();
        while (true)
        {
            lock (_lock)
            {
                if (_life.State != ProducerState.Running || _refusals.Draining)
                {
                    return;
                }

                if (_queueFull && _life.Generation!.InFlight <= Volatile.Read(ref _resumeAt))
                {
                    _queueFull = false;
                }

                if (!PumpRunUnderLock())
                {
                    return;
                }
            }
        }
    }

    // Under the lock, for a bounded number of sends, so that senders and cancellations get their turn. False: nobody can go now.
    private bool PumpRunUnderLock()
    {
        for (var i = 0; i < PumpRun; i++)
        {
            if (_queueFull || _refusals.Draining || _waiting.Next() is not { } send)
            {
                return false;
            }

            _waiting.Remove(send);
            if (!HandOver(send))
            {
                WaitAgain(send);

                // The flags may have been set just after the report that would have woken us.
                Interlocked.MemoryBarrier();
                var inFlight = _life.Generation!.InFlight;
                if (_queueFull && inFlight <= Volatile.Read(ref _resumeAt) && inFlight > 0)
                {
                    _queueFull = false;
                    continue;
                }

                if (_queueFull)
                {
                    return false;
                }
            }
        }

        return true;
    }

    private async Task WaitForRoomAsync(TopicLine line)
    {
        try
        {
            await _gate!.WaitAsync(line.Topic, _stopped.Token);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        lock (_lock)
        {
            line.GateClosed = false;
            SchedulePump();
        }
    }

    // A logger is user code: never on the client's thread.
    private void LogSent(string topic, int partition, long offset, MessageKey key, int bytes)
        => ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.Sent(_logger, topic, partition, offset, key, bytes), null);

    // Under the lock.
    private string WaitedFor(PendingSend send)
    {
        var line = send.Line;
        return send switch
        {
            { Stage: SendStage.Preparing } => "its serializer or middleware",
            _ when _life.State == ProducerState.Rebuilding => $"a new producer after a fatal error: {SendFailure.Text(_life.Reason!)}",
            _ when line.GateClosed => _gate!.Describe(line.Topic),
            _ when line.Existence != TopicExistence.Assured => "the topic's creation",
            _ when line.Limit is TopicLimit.Unasked or TopicLimit.Asking => "the topic's max.message.bytes",
            _ when _refusals.Draining || line.Limit == TopicLimit.Refused => "messages of its topic that are sent again after the broker refused their batch for its size",
            _ when line.Limit == TopicLimit.Limited => "earlier messages of its topic: its max.message.bytes is below a batch, so that few are under way at a time",
            _ => "room in the client's queue: the broker acknowledges too slowly or is unreachable",
        };
    }

    private void Fail(PendingSend send, KafkaSendException exception)
    {
        _tally.CountFailed();
        send.TryComplete(exception);
        Finish(send);
    }

    private void Finish(PendingSend send)
    {
        send.LetGo();
        _tally.Done();
    }
}
