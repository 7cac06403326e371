using System.Collections.Concurrent;
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
/// <para>Thread-safe. The lock is held while a message is handed to the client, so that order is the order of tickets; reports of the client do not
/// take it unless somebody waits.</para>
/// <list type="table">
/// <listheader><term>State</term><description>Changes to</description></listheader>
/// <item><term>New</term><description>Running (<see cref="Open"/>), Stopped</description></item>
/// <item><term>Running</term><description>Rebuilding (fatal error), Refused (fatal error of authorization), Stopped</description></item>
/// <item><term>Rebuilding</term><description>Running (a new client was built), Stopped</description></item>
/// <item><term>Refused</term><description>Stopped</description></item>
/// </list>
/// <para>While <em>draining</em> (a batch was refused for its size) nothing goes to the client until all that is with it has come back: only then is the
/// order of what has to be sent again known.</para>
/// </remarks>
internal sealed class SendLine
{
    private const int PoolLimit = 65_536;
    private const int PumpRun = 256;

    private static readonly TimeSpan DrainTick = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan FatalDrain = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LimitQuery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstRebuildDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRebuildDelay = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan DisposeGrace = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<string, TopicLine> _topics = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<PendingSend> _pool = new();
    private readonly List<TopicLine> _waitingTopics = [];
    private readonly List<(string Name, Task Disposal)> _disposals = [];
    private readonly CancellationTokenSource _stopped = new();
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly Func<ProducerGeneration, IProducerClient> _build;
    private readonly IKafkaTopics? _ensure;
    private readonly ISendGate? _gate;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private readonly TimeSpan _tick;

    // Under the lock.
    private ProducerGeneration? _generation;
    private ProducerState _state;
    private Error? _reason;
    private long _ticket;
    private long _resumeAt;
    private bool _ticking;
    private int _rebuilds;
    private Task<SendCounts>? _stop;

    // Written under the lock, read by reports without it: whether a report has anyone to wake.
    private volatile bool _someoneWaits;
    private volatile bool _queueFull;
    private volatile bool _draining;
    private volatile bool _stopping;

    // Interlocked.
    private int _pumpScheduled;
    private int _pooled;
    private long _outstanding;
    private long _delivered;
    private long _failed;
    private long _unknown;

    public SendLine(
        Func<ProducerGeneration, IProducerClient> build,
        IKafkaTopics? ensure,
        ISendGate? gate,
        TimeSpan timeout,
        KafkaDiagnostics diagnostics)
    {
        _build = build;
        _ensure = ensure;
        _gate = gate;
        _timeout = timeout;
        _time = diagnostics.Time;
        _logger = diagnostics.Logger<MessageProducer>();
        _tick = TimeSpan.FromMilliseconds(Math.Clamp(timeout.TotalMilliseconds / 20, 10, 500));
        _timer = _time.CreateTimer(static state => ((SendLine)state!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public ProducerHealth Health
    {
        get
        {
            lock (_lock)
            {
                return new ProducerHealth(_state, _reason is null ? null : SendFailure.Text(_reason));
            }
        }
    }

    /// <summary>How many were accepted and have no outcome yet.</summary>
    public long InFlight => Interlocked.Read(ref _outstanding);

    public long Delivered => Interlocked.Read(ref _delivered);

    public long Failed => Interlocked.Read(ref _failed);

    public long Unknown => Interlocked.Read(ref _unknown);

    /// <summary>Builds the first client.</summary>
    public void Open()
    {
        lock (_lock)
        {
            if (_state != ProducerState.New)
            {
                return;
            }

            _generation = Build();
            _state = ProducerState.Running;
        }

        ProducingLog.Connected(_logger, _generation.Client.Name);
        EndedAlready(_generation);
    }

    /// <summary>The answer to sending before and after.</summary>
    /// <exception cref="KafkaNotConnectedException">Not open, or stopping.</exception>
    public void ThrowIfNotConnected()
    {
        if (_stopping || _state == ProducerState.New)
        {
            throw new KafkaNotConnectedException(_stopping
                ? "The service is not connected: it was disconnected, and nothing can be sent any more."
                : "The service is not connected: call ConnectProducerAsync before sending.");
        }
    }

    public PendingSend Rent(string topic)
    {
        if (_pool.TryDequeue(out var send))
        {
            Interlocked.Decrement(ref _pooled);
        }
        else
        {
            send = new PendingSend(this);
        }

        send.Line = _topics.TryGetValue(topic, out var line)
            ? line
            : _topics.GetOrAdd(topic, static (name, mustEnsure) => new TopicLine(name, mustEnsure), _ensure is not null);
        return send;
    }

    public void Return(PendingSend send)
    {
        if (Interlocked.Increment(ref _pooled) <= PoolLimit)
        {
            _pool.Enqueue(send);
        }
        else
        {
            Interlocked.Decrement(ref _pooled);
        }
    }

    /// <summary>Sends what is ready, or gives it its place in the line.</summary>
    public void Accept(PendingSend send)
    {
        lock (_lock)
        {
            ThrowIfNotConnected();
            TakeTicket(send);
            if (_state == ProducerState.Running && !_queueFull && !_draining && send.Line.Waiting.Count == 0 && send.Line.MayGo(send) && HandOver(send))
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
            TakeTicket(send);
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

            RemoveFromLine(send);
            send.Line = _topics.GetOrAdd(topic, static (name, mustEnsure) => new TopicLine(name, mustEnsure), _ensure is not null);
            Insert(send);
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
                Leave(send);
                send.TryComplete(reason);
                Interlocked.Decrement(ref _outstanding);
                SignalIdle();
            }
        }

        send.LetGo();
    }

    /// <summary>Stops the waiting; a send that is still in the line leaves it.</summary>
    public void Cancel(PendingSend send, CancellationToken cancellationToken)
    {
        var letGo = false;
        lock (_lock)
        {
            if (send.Stage is SendStage.Preparing or SendStage.Waiting)
            {
                letGo = send.Stage == SendStage.Waiting;
                Leave(send);
                Interlocked.Decrement(ref _outstanding);
                SignalIdle();
            }
        }

        send.TryComplete(new OperationCanceledException(cancellationToken));
        if (letGo)
        {
            send.LetGo();
        }
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

            if (line.Refusal == BatchRefusal.Learning)
            {
                WarnIfInverted(send, partition);
            }

            _rebuilds = 0;
            Interlocked.Increment(ref _delivered);
            send.TryComplete(new SendResult(line.Topic, partition, offset));
            Finish(send);
        }
        else
        {
            _gate?.Failed(line.Topic, bytes);
            if (!TrySendAgain(generation, send, code, status))
            {
                var mayHaveBeenWritten = status != PersistenceStatus.NotPersisted;
                Fail(send, generation.Fatal is { } fatal
                    ? SendFailure.Fatal(send, fatal, mayHaveBeenWritten)
                    : SendFailure.Refused(send, code, reason: null, mayHaveBeenWritten));
                Finish(send);
            }
        }

        // Only now: who sees nothing in flight must find what goes again in its place in the line.
        line.Left(bytes);
        generation.Left();
        if (_someoneWaits && !_draining && (!_queueFull || generation.InFlight <= Volatile.Read(ref _resumeAt)))
        {
            SchedulePump();
        }
    }

    /// <summary>The client met a fatal error; reported once per client, later calls change nothing.</summary>
    private void Fatal(ProducerGeneration generation, Error error)
    {
        if (generation.End(error))
        {
            Ended(generation, error);
        }
    }

    // An error that came before the client was installed.
    private void EndedAlready(ProducerGeneration generation)
    {
        if (generation.Fatal is { } error)
        {
            Ended(generation, error);
        }
    }

    private void Ended(ProducerGeneration generation, Error error)
    {
        var refused = SendFailure.IsAuthorization(error.Code);
        lock (_lock)
        {
            if (_generation != generation || _state != ProducerState.Running)
            {
                return;
            }

            _state = refused ? ProducerState.Refused : ProducerState.Rebuilding;
            _reason = error;
            _draining = false;
            _queueFull = false;
        }

        _ = Task.Run(() => ReplaceAsync(generation, error, refused));
    }

    /// <summary>Waits for what was accepted, fails what is left at the deadline as unknown, and closes the client. A second call returns the first call's task.</summary>
    public Task<SendCounts> StopAsync(TimeSpan timeout)
    {
        lock (_lock)
        {
            return _stop ??= Task.Run(() => StopCoreAsync(timeout));
        }
    }

    private async Task<SendCounts> StopCoreAsync(TimeSpan timeout)
    {
        var started = _time.GetTimestamp();
        ProducerGeneration? generation;
        lock (_lock)
        {
            _stopping = true;
            SignalIdle();
        }

        try
        {
            await _idle.Task.WaitAsync(timeout, _time);
        }
        catch (TimeoutException)
        {
            // What has no answer now is unknown: counted and failed below.
        }

        lock (_lock)
        {
            _state = ProducerState.Stopped;
            generation = _generation;
            _generation = null;
            foreach (var line in _topics.Values)
            {
                while (line.Waiting.First is { } waiting)
                {
                    var prepared = waiting.Stage == SendStage.Waiting;
                    Leave(waiting);
                    GiveUp(waiting, mayHaveBeenWritten: false);
                    if (prepared)
                    {
                        waiting.LetGo();
                    }
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
                    GiveUp(send, mayHaveBeenWritten: true);
                }
            }

            Dispose(generation);
        }

        var abandoned = await WaitForDisposalsAsync(Max(timeout - _time.GetElapsedTime(started), DisposeGrace));
        await _timer.DisposeAsync();
        var counts = new SendCounts(Delivered, Failed, Unknown, abandoned);
        ProducingLog.Disconnected(_logger, counts.Delivered, counts.Failed, counts.Unknown);
        return counts;
    }

    private static TimeSpan Max(TimeSpan left, TimeSpan right) => left > right ? left : right;

    private ProducerGeneration Build()
    {
        var generation = new ProducerGeneration(Fatal);
        generation.Client = _build(generation);
        return generation;
    }

    private void TakeTicket(PendingSend send)
    {
        send.Ticket = ++_ticket;
        Interlocked.Increment(ref _outstanding);
    }

    // Under the lock. True: it is with the client, or failed for good; false: it has to wait.
    private bool HandOver(PendingSend send)
    {
        var line = send.Line;
        var generation = _generation!;
        if (_gate is not null && !_gate.TryEnter(line.Topic, send.Bytes))
        {
            line.GateClosed = true;
            _ = WaitForRoomAsync(line);
            return false;
        }

        send.Stage = SendStage.Sent;
        send.Generation = generation;
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
            _ = Task.Run(() => Fatal(generation, error));
            return false;
        }

        Fail(send, SendFailure.Refused(send, error.Code, error.Reason, mayHaveBeenWritten: false));
        Finish(send);
        return true;
    }

    // Under the lock.
    private void Join(PendingSend send, SendStage stage)
    {
        if (_state == ProducerState.Refused)
        {
            send.Stage = SendStage.Left;
            Fail(send, SendFailure.Fatal(send, _reason!, mayHaveBeenWritten: false));
            FinishOutstanding();
            if (stage == SendStage.Waiting)
            {
                send.LetGo();
            }

            return;
        }

        send.Stage = stage;
        Insert(send);
        Ensure(send.Line);
        StartTicking();

        // A report that came just before the flags were set woke nobody.
        Interlocked.MemoryBarrier();
        if (_generation is { } generation && (!_queueFull || generation.InFlight <= Volatile.Read(ref _resumeAt)))
        {
            SchedulePump();
        }
    }

    // Under the lock.
    private void Insert(PendingSend send)
    {
        if (send.Line.Waiting.Count == 0)
        {
            _waitingTopics.Add(send.Line);
        }

        if (send.Deadline == 0)
        {
            // Counted from the first time it waits; what goes straight through never asks the clock.
            send.Deadline = _time.GetTimestamp() + (long)(_timeout.TotalSeconds * _time.TimestampFrequency);
        }

        send.Line.Waiting.AddByTicket(send);
        _someoneWaits = true;
    }

    // Under the lock.
    private void RemoveFromLine(PendingSend send)
    {
        if (send.Line.Waiting.Remove(send) && send.Line.Waiting.Count == 0)
        {
            _waitingTopics.Remove(send.Line);
            _someoneWaits = _waitingTopics.Count > 0;
        }
    }

    // Under the lock. Whoever waits behind it may go now.
    private void Leave(PendingSend send)
    {
        RemoveFromLine(send);
        send.Stage = SendStage.Left;
        if (_someoneWaits)
        {
            SchedulePump();
        }
    }

    private void SchedulePump()
    {
        if (Interlocked.Exchange(ref _pumpScheduled, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static line => line.Pump(), this, preferLocal: false);
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
                if (_state != ProducerState.Running || _draining)
                {
                    return;
                }

                if (_queueFull && _generation!.InFlight <= Volatile.Read(ref _resumeAt))
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
            if (_queueFull || _draining || NextToGo() is not { } send)
            {
                return false;
            }

            RemoveFromLine(send);
            if (!HandOver(send))
            {
                send.Stage = SendStage.Waiting;
                Insert(send);

                // The flags may have been set just after the report that would have woken us.
                Interlocked.MemoryBarrier();
                if (_queueFull && _generation!.InFlight <= Volatile.Read(ref _resumeAt) && _generation.InFlight > 0)
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

    // Under the lock. The earliest ticket among the topics that may go.
    private PendingSend? NextToGo()
    {
        PendingSend? next = null;
        foreach (var line in _waitingTopics)
        {
            if (line.Waiting.First is { Stage: SendStage.Waiting } first && (next is null || first.Ticket < next.Ticket) && line.MayGo(first))
            {
                next = first;
            }
        }

        return next;
    }

    // On the client's thread. True: it was refused together with its batch, or purged to keep the order, and goes again.
    private bool TrySendAgain(ProducerGeneration generation, PendingSend send, ErrorCode code, PersistenceStatus status)
    {
        if (status != PersistenceStatus.NotPersisted || code is not (ErrorCode.MsgSizeTooLarge or ErrorCode.Local_PurgeQueue))
        {
            return false;
        }

        lock (_lock)
        {
            if (_state != ProducerState.Running || _generation != generation || generation.Fatal is not null)
            {
                return false;
            }

            if (code == ErrorCode.MsgSizeTooLarge)
            {
                if (send.Alone)
                {
                    return false;
                }

                BeginDraining(generation, send.Line);
            }
            else if (!_draining)
            {
                return false;
            }

            send.Stage = SendStage.Waiting;
            send.Generation = null;
            send.Alone = false;
            Insert(send);
            StartTicking();
            return true;
        }
    }

    // Under the lock.
    private void BeginDraining(ProducerGeneration generation, TopicLine line)
    {
        // While draining, what else is refused is of the same refusal.
        var again = line.Refusal == BatchRefusal.Limited && !_draining;
        if (line.Refusal == BatchRefusal.None || again)
        {
            line.Refusal = BatchRefusal.Learning;
            _ = LearnAsync(generation, line, again);
        }

        if (!_draining)
        {
            // At once, before the client has a new epoch from the broker and goes on with what followed.
            _draining = true;
            generation.Client.TryPurgeQueued(wait: false);
            _ = Task.Run(() => DrainAsync(generation));
        }
    }

    // Takes back what the client has queued until nothing is with it. It waits for each purge: one that is late would take what is sent afterwards.
    private async Task DrainAsync(ProducerGeneration generation)
    {
        try
        {
            generation.Client.TryPurgeQueued(wait: true);
            while (generation.InFlight > 0 && generation.Fatal is null)
            {
                // What was under way at the last purge may be queued again by now.
                await Task.Delay(DrainTick, _time, _stopped.Token);
                generation.Client.TryPurgeQueued(wait: true);
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }

        lock (_lock)
        {
            if (_generation == generation && _state == ProducerState.Running)
            {
                _draining = false;
                SchedulePump();
            }
        }
    }

    private async Task LearnAsync(ProducerGeneration generation, TopicLine line, bool again)
    {
        // Refused again in spite of its window: the limit that was told does not hold, so one message at a time.
        int? limit = null;
        if (!again)
        {
            try
            {
                limit = await generation.Client.FindLimitAsync(line.Topic, _stopped.Token).WaitAsync(LimitQuery, _time, _stopped.Token);
            }
            catch (Exception exception) when (exception is KafkaException or TimeoutException or OperationCanceledException or ObjectDisposedException)
            {
                // Not told: one message at a time is always right.
                limit = null;
            }
        }

        lock (_lock)
        {
            line.Window = Math.Max(0, (limit ?? 0) - SendSize.BatchOverhead);
            line.Refusal = BatchRefusal.Limited;
            SchedulePump();
        }

        ProducingLog.BatchRefused(_logger, line.Topic, line.Window);
    }

    // A logger is user code: never on the client's thread.
    private void LogSent(string topic, int partition, long offset, MessageKey key, int bytes)
        => ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.Sent(_logger, topic, partition, offset, key, bytes), null);

    // Something that followed a refused batch was written before the batch could be sent again: nobody can undo it, so it is said.
    private void WarnIfInverted(PendingSend send, int partition)
    {
        lock (_lock)
        {
            if (send.Line.Waiting.First is not { } first || first.Ticket > send.Ticket)
            {
                return;
            }
        }

        var topic = send.Line.Topic;
        ThreadPool.UnsafeQueueUserWorkItem(_ => ProducingLog.MayBeInverted(_logger, topic, partition), null);
    }

    // Under the lock.
    private void Ensure(TopicLine line)
    {
        if (line.Existence == TopicExistence.Unknown)
        {
            line.Existence = TopicExistence.Ensuring;
            _ = Task.Run(() => EnsureAsync(line));
        }
    }

    private async Task EnsureAsync(TopicLine line)
    {
        try
        {
            await _ensure!.EnsureAsync([new TopicSpec(line.Topic)], _stopped.Token);
        }
        catch (Exception exception)
        {
            List<PendingSend> failed = [];
            lock (_lock)
            {
                line.Existence = TopicExistence.Unknown;
                for (var send = line.Waiting.First; send is not null; send = line.Waiting.First)
                {
                    var prepared = send.Stage == SendStage.Waiting;
                    Leave(send);
                    Fail(send, SendFailure.NoTopic(send, exception));
                    FinishOutstanding();
                    if (prepared)
                    {
                        failed.Add(send);
                    }
                }
            }

            failed.ForEach(send => send.LetGo());
            return;
        }

        lock (_lock)
        {
            line.Existence = TopicExistence.Assured;
            SchedulePump();
        }
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

    // Under the lock.
    private void StartTicking()
    {
        if (!_ticking)
        {
            _ticking = true;
            _timer.Change(_tick, _tick);
        }
    }

    // Expires what waited too long, and asks again where no report can: an empty client whose queue was just full.
    private void Tick()
    {
        List<PendingSend> expired = [];
        lock (_lock)
        {
            if (_state == ProducerState.Stopped)
            {
                return;
            }

            var now = _time.GetTimestamp();
            for (var i = _waitingTopics.Count - 1; i >= 0; i--)
            {
                var line = _waitingTopics[i];
                while (line.Waiting.First is { } first && first.Deadline <= now)
                {
                    var prepared = first.Stage == SendStage.Waiting;
                    var waitedFor = WaitedFor(first);
                    Leave(first);
                    Fail(first, SendFailure.TimedOut(first, _timeout, waitedFor));
                    FinishOutstanding();
                    if (prepared)
                    {
                        expired.Add(first);
                    }
                }
            }

            if (!_someoneWaits)
            {
                _ticking = false;
                _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }
            else
            {
                _queueFull &= _generation is { InFlight: > 0 };
                SchedulePump();
            }
        }

        expired.ForEach(send => send.LetGo());
    }

    // Under the lock.
    private string WaitedFor(PendingSend send)
    {
        var line = send.Line;
        return send switch
        {
            { Stage: SendStage.Preparing } => "its serializer or middleware",
            _ when _state == ProducerState.Rebuilding => $"a new producer after a fatal error: {SendFailure.Text(_reason!)}",
            _ when line.GateClosed => _gate!.Describe(line.Topic),
            _ when line.Existence != TopicExistence.Assured => "the topic's creation",
            _ when _draining || line.Refusal != BatchRefusal.None => "messages of its topic that are sent again after the broker refused their batch for its size",
            _ => "room in the client's queue: the broker acknowledges too slowly or is unreachable",
        };
    }

    private async Task ReplaceAsync(ProducerGeneration generation, Error error, bool refused)
    {
        if (refused)
        {
            ProducingLog.Refused(_logger, generation.Client.Name, SendFailure.Text(error));
        }
        else
        {
            ProducingLog.FatalError(_logger, generation.Client.Name, SendFailure.Text(error));
        }

        try
        {
            // The client gives back what it has with each message's own status; what it does not give back may have been written.
            await generation.Drained.WaitAsync(FatalDrain, _time, _stopped.Token);
        }
        catch (TimeoutException)
        {
            FailAll(generation, error);
        }
        catch (OperationCanceledException)
        {
            // Stopped meanwhile: that has failed what is left, and disposes the client.
            return;
        }

        lock (_lock)
        {
            if (_state == ProducerState.Stopped)
            {
                return;
            }

            _generation = null;
        }

        Dispose(generation);
        if (refused)
        {
            FailLine(error);
        }
        else
        {
            await RebuildAsync();
        }
    }

    private async Task RebuildAsync()
    {
        while (true)
        {
            var delay = TimeSpan.FromMilliseconds(Math.Min(
                LastRebuildDelay.TotalMilliseconds,
                FirstRebuildDelay.TotalMilliseconds * Math.Pow(2, Math.Min(_rebuilds++, 10))));
            try
            {
                await Task.Delay(delay, _time, _stopped.Token);
                var next = Build();
                lock (_lock)
                {
                    if (_state == ProducerState.Rebuilding)
                    {
                        _generation = next;
                        _state = ProducerState.Running;
                        _queueFull = false;
                        _reason = null;
                        SchedulePump();
                    }
                    else
                    {
                        Dispose(next);
                        return;
                    }
                }

                ProducingLog.Rebuilt(_logger, next.Client.Name);
                EndedAlready(next);
                return;
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception exception)
            {
                ProducingLog.RebuildFailed(_logger, exception, delay);
            }
        }
    }

    private void FailAll(ProducerGeneration generation, Error error)
    {
        while (generation.Peek() is { } send)
        {
            if (generation.TryTake(send))
            {
                send.Line.Left(send.Bytes);
                generation.Left();
                _gate?.Failed(send.Line.Topic, send.Bytes);
                Fail(send, SendFailure.Fatal(send, error, mayHaveBeenWritten: true));
                FinishOutstanding();
            }
        }
    }

    private void FailLine(Error error)
    {
        List<PendingSend> failed = [];
        lock (_lock)
        {
            foreach (var line in _topics.Values)
            {
                while (line.Waiting.First is { } send)
                {
                    var prepared = send.Stage == SendStage.Waiting;
                    Leave(send);
                    Fail(send, SendFailure.Fatal(send, error, mayHaveBeenWritten: false));
                    FinishOutstanding();
                    if (prepared)
                    {
                        failed.Add(send);
                    }
                }
            }
        }

        failed.ForEach(send => send.LetGo());
    }

    private void Fail(PendingSend send, KafkaSendException exception)
    {
        Interlocked.Increment(ref _failed);
        send.TryComplete(exception);
    }

    private void GiveUp(PendingSend send, bool mayHaveBeenWritten)
    {
        Interlocked.Increment(ref _unknown);
        send.TryComplete(SendFailure.Unknown(send, mayHaveBeenWritten));
        FinishOutstanding();
    }

    private void Finish(PendingSend send)
    {
        send.LetGo();
        FinishOutstanding();
    }

    private void FinishOutstanding()
    {
        Interlocked.Decrement(ref _outstanding);
        SignalIdle();
    }

    private void SignalIdle()
    {
        if (_stopping && Interlocked.Read(ref _outstanding) == 0)
        {
            _idle.TrySetResult();
        }
    }

    // Off this thread: closing a client may block for a minute where a broker hangs.
    private void Dispose(ProducerGeneration generation)
    {
        var disposal = Task.Factory.StartNew(
            static state => ((IProducerClient)state!).Dispose(),
            generation.Client,
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        lock (_lock)
        {
            _disposals.RemoveAll(static entry => entry.Disposal.IsCompleted);
            _disposals.Add((generation.Client.Name, disposal));
        }
    }

    private async Task<IReadOnlyList<string>> WaitForDisposalsAsync(TimeSpan timeout)
    {
        List<(string Name, Task Disposal)> disposals;
        lock (_lock)
        {
            disposals = [.. _disposals];
        }

        await Task.WhenAny(Task.WhenAll(disposals.Select(entry => entry.Disposal)), Task.Delay(timeout, _time));
        List<string> abandoned = [];
        foreach (var (name, disposal) in disposals)
        {
            if (!disposal.IsCompleted)
            {
                ProducingLog.Abandoned(_logger, name);
                abandoned.Add(name);
            }
        }

        return abandoned;
    }
}
