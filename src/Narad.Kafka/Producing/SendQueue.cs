using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Producing;

/// <summary>
/// The only way to the client: first come, first served within a topic, whatever a send has to wait for. A send that finds nobody waiting goes straight
/// through; otherwise it joins the queue and goes when its turn has come. It never blocks a thread, and never calls user code except loggers.
/// </summary>
/// <remarks>
/// Thread-safe. The lock is held while a message is handed to the client, so that order is the order of tickets; reports of the client do not
/// take it unless somebody waits. The types that it is made of (<see cref="ProducerLife"/>, <see cref="WaitingSends"/>, <see cref="SendDeadlines"/>,
/// <see cref="TopicCreations"/>, <see cref="TopicLimits"/>, <see cref="BatchRefusals"/>, <see cref="SendDispatcher"/>, <see cref="SendShutdown"/>) share that
/// one lock.
/// </remarks>
internal sealed class SendQueue
{
    private readonly Lock _lock = new();
    private readonly SendPool _pool = new();
    private readonly SendTally _tally = new();
    private readonly ProducerLife _life;
    private readonly WaitingSends _waiting;
    private readonly SendDeadlines _deadlines;
    private readonly TopicCreations? _creations;
    private readonly TopicLimits? _limits;
    private readonly BatchRefusals _refusals;
    private readonly SendDispatcher _dispatcher;
    private readonly SendReports _reports;
    private readonly SendShutdown _shutdown;
    private readonly ISendBackpressure? _backpressure;
    private readonly TimeSpan _timeout;

    // Under the lock.
    private long _ticket;
    private Task<SendCounts>? _stop;

    // Written under the lock, read without it.
    private volatile bool _stopping;

    /// <summary>A line without a client yet.</summary>
    /// <param name="build">Builds a client.</param>
    /// <param name="ensure">Creates missing topics; null: that is not wanted.</param>
    /// <param name="backpressure">Holds sends back while the broker has no room; null: it always has.</param>
    /// <param name="learnLimits">Whether there are brokers that refuse batches for their size and can be asked for the limit.</param>
    /// <param name="timeout">How long a send may take.</param>
    /// <param name="diagnostics">Time and logs.</param>
    public SendQueue(Func<ProducerGeneration, IProducerClient> build, IKafkaTopics? ensure, ISendBackpressure? backpressure, bool learnLimits, TimeSpan timeout,
        KafkaDiagnostics diagnostics)
    {
        var time = diagnostics.Time;
        var logger = diagnostics.Logger<MessageProducer>();
        var stopped = new CancellationTokenSource();
        var disposals = new ClientDisposals(time, logger);
        _backpressure = backpressure;
        _timeout = timeout;
        _life = new ProducerLife(this, _lock, build, disposals, time, logger, stopped.Token);
        _waiting = new WaitingSends(ensure is not null, learnLimits);
        _deadlines = new SendDeadlines(this, _lock, timeout, time);
        _creations = ensure is null ? null : new TopicCreations(this, _lock, ensure, time, stopped.Token);
        _limits = learnLimits ? new TopicLimits(this, _lock, timeout, time, logger, stopped.Token) : null;
        _refusals = new BatchRefusals(this, _lock, _limits, time, logger, stopped.Token);
        _dispatcher = new SendDispatcher(_lock, _waiting, _life, _deadlines, _refusals, _tally, backpressure, stopped.Token);
        _reports = new SendReports(_life, _dispatcher, _refusals, _limits, _tally, backpressure, logger);
        _shutdown = new SendShutdown(this, _lock, _life, _deadlines, disposals, _tally, stopped, time, logger);
    }

    /// <summary>The most bytes of a message with key and headers, for what is said of one that is larger.</summary>
    public int MaxMessageBytes { get; init; }

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

    /// <summary>How many were acknowledged, in time or late.</summary>
    public long Delivered => _tally.Delivered + _tally.Late;

    /// <summary>How many topics are remembered.</summary>
    public int Topics => _waiting.Count;

    /// <summary>The client that takes sends now; null where there is none. Under the lock.</summary>
    public IProducerClient? Client => _life.State == ProducerState.Running ? _life.Generation!.Client : null;

    /// <summary>Builds the first client.</summary>
    public void Open() => _life.Open();

    /// <summary>Answers of one client, on its thread.</summary>
    public void Reported(ReadOnlySpan<SendReport> reports) => _reports.Take(reports);

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
        send.Queue = _waiting.Of(topic);
        return send;
    }

    public void Return(PendingSend send) => _pool.Return(send);

    /// <summary>Sends what is ready, or gives it its place in the queue.</summary>
    public void Accept(PendingSend send)
    {
        lock (_lock)
        {
            ThrowIfNotConnected();
            send.Queue = Found(send.Queue);
            send.Ticket = ++_ticket;
            _tally.Accept();
            if (!_dispatcher.TryGo(send))
            {
                Join(send, SendStage.Waiting);
            }
        }
    }

    /// <summary>Gives a send its place before it is ready; <see cref="Ready"/> or <see cref="Withdraw"/> must follow.</summary>
    public void Reserve(PendingSend send)
    {
        lock (_lock)
        {
            ThrowIfNotConnected();

            send.Queue = Found(send.Queue);

            // What middleware sends does not wait for messages whose middleware is still at work: these may be waiting for it.
            send.Ticket = send.Depth > 0 && send.Queue.Waiting.FirstAbove(send.Depth) is { } above ? above.Ticket : ++_ticket;
            _tally.Accept();
            Join(send, SendStage.Preparing);
        }
    }

    /// <summary>A reserved send is complete now. Where it left the queue meanwhile, nothing happens: it was completed then.</summary>
    public void Ready(PendingSend send)
    {
        lock (_lock)
        {
            if (send.Stage == SendStage.Preparing)
            {
                send.Stage = SendStage.Waiting;
                _dispatcher.Schedule();
                return;
            }
        }

        send.LetGo();
    }

    /// <summary>A reserved send moves to another topic's queue, to the place that its ticket has there.</summary>
    public void Move(PendingSend send, string topic)
    {
        lock (_lock)
        {
            if (send.Stage != SendStage.Preparing)
            {
                return;
            }

            _waiting.Remove(send);
            send.Queue = Found(_waiting.Of(topic));
            _waiting.Insert(send);
            Prepare(send.Queue);
            _dispatcher.Schedule();
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

    /// <summary>Stops the waiting; a send that is still in the queue leaves it.</summary>
    public void Cancel(PendingSend send, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (send.Stage is SendStage.Preparing or SendStage.Waiting)
            {
                Leave(send, SendFailure.Cancelled(send.Queue.Topic, mayHaveBeenWritten: false, cancellationToken));
                return;
            }
        }

        if (!send.IsCompleted)
        {
            send.TryComplete(SendFailure.Cancelled(send.Queue.Topic, mayHaveBeenWritten: true, cancellationToken));
        }
    }

    /// <summary>
    /// Waits for what was accepted, fails what is left at the deadline as unknown, and closes the client. A second call returns the first call's task.
    /// </summary>
    public Task<SendCounts> StopAsync(TimeSpan timeout)
    {
        lock (_lock)
        {
            _stopping = true;
            return _stop ??= Task.Run(() => _shutdown.RunAsync(timeout));
        }
    }

    /// <summary>Whether this client takes sends now. Under the lock.</summary>
    public bool IsCurrent(ProducerGeneration generation) => _life.IsCurrent(generation);

    /// <summary>The client ended: nothing goes until there is another one. Under the lock.</summary>
    public void ClientEnded()
    {
        _refusals.Abandon();
        _dispatcher.Restart();
    }

    /// <summary>There is another client. Under the lock.</summary>
    public void ClientBuilt()
    {
        _dispatcher.Restart();
        foreach (var queue in _waiting.Queues)
        {
            Prepare(queue);
        }

        _dispatcher.Schedule();
    }

    /// <summary>Somebody saw to a topic already: its sends need not.</summary>
    public void Assure(string topic)
    {
        lock (_lock)
        {
            var queue = _waiting.Of(topic);
            queue.IsKept = true;
            if (queue.Existence == TopicExistence.Unknown)
            {
                queue.Existence = TopicExistence.Assured;
                Changed(queue);
            }
        }
    }

    /// <summary>What is known of a topic changed. Under the lock.</summary>
    public void Changed(TopicQueue queue)
    {
        _waiting.Update(queue);
        Prepare(queue);
        _dispatcher.Schedule();
    }

    /// <summary>A send that was with the client takes its place in the queue again. Under the lock.</summary>
    public void WaitAgain(PendingSend send) => _dispatcher.WaitAgain(send);

    /// <summary>Sees, on another thread, whether somebody can go.</summary>
    public void ScheduleDispatch() => _dispatcher.Schedule();

    /// <summary>Fails all that wait for a topic. Under the lock.</summary>
    public void FailWaiting(TopicQueue queue, Func<PendingSend, KafkaSendException> reason)
    {
        while (queue.Waiting.First is { } send)
        {
            _tally.CountFailed();
            Leave(send, reason(send));
        }
    }

    /// <summary>Fails all that wait. Under the lock.</summary>
    public void FailAllWaiting(Func<PendingSend, KafkaSendException> reason)
    {
        foreach (var queue in (TopicQueue[])[.. _waiting.Queues])
        {
            FailWaiting(queue, reason);
        }
    }

    /// <summary>Fails all that wait as unknown: the service stops. Under the lock.</summary>
    public void GiveUpWaiting()
    {
        foreach (var queue in (TopicQueue[])[.. _waiting.Queues])
        {
            while (queue.Waiting.First is { } send)
            {
                _tally.CountUnknown();
                Leave(send, SendFailure.Unknown(send, mayHaveBeenWritten: false));
            }
        }
    }

    /// <summary>Fails all that a dead client did not give back.</summary>
    public void FailWithClient(ProducerGeneration generation, Error error)
    {
        while (generation.Peek() is { } send)
        {
            if (generation.TryTake(send))
            {
                send.Queue.Left(1, send.Bytes);
                generation.Left();
                _backpressure?.Failed(send.Queue.Topic, send.Bytes);
                _tally.CountFailed();
                send.TryComplete(SendFailure.Fatal(send, error, mayHaveBeenWritten: true));
                _tally.Done();
            }
        }
    }

    /// <summary>Fails what has waited for too long. Under the lock.</summary>
    /// <returns>Whether somebody still waits.</returns>
    public bool ExpireWaiting(long now)
    {
        foreach (var queue in (TopicQueue[])[.. _waiting.Queues.Where(queue => queue.Waiting.First!.Deadline <= now)])
        {
            while (queue.Waiting.First is { } first && first.Deadline <= now)
            {
                _tally.CountFailed();
                Leave(first, SendFailure.TimedOut(first, _timeout, WaitedFor(first)));
            }
        }

        if (!_waiting.Any)
        {
            return false;
        }

        _dispatcher.AskAgain();
        return true;
    }

    /// <summary>Fails, for their awaiters, sends whose time is over and that are with the client: what becomes of them it says later. Under the lock.</summary>
    /// <returns>The next deadline of one that is with the client; <see cref="long.MaxValue"/> where there is none.</returns>
    public long ExpireWithClient(long now) => _life.Generation?.Expire(now) ?? long.MaxValue;

    // Under the lock. The queue of a topic that is sent to now.
    private TopicQueue Found(TopicQueue queue)
    {
        queue = _waiting.Current(queue);
        if (_waiting.Forget() is { } forgotten)
        {
            forgotten.ForEach(static other => other.ClientTopic.Client?.Forget(other));
        }

        return queue;
    }

    // Under the lock.
    private void Join(PendingSend send, SendStage stage)
    {
        // The call returns before its turn comes.
        send.Own();
        send.Stage = stage;
        _waiting.Insert(send);
        if (_life.State == ProducerState.Refused)
        {
            _tally.CountFailed();
            Leave(send, SendFailure.Fatal(send, _life.Reason!, mayHaveBeenWritten: false));
            return;
        }

        _deadlines.Waits(send);
        Prepare(send.Queue);
        _dispatcher.Joined();
    }

    // Under the lock. Has done what the topic's sends wait for, one after the other: it is created first, because a missing topic has no limit to tell.
    private void Prepare(TopicQueue queue)
    {
        if (queue.Waiting.Count == 0)
        {
            return;
        }

        if (queue.Existence == TopicExistence.Unknown)
        {
            _creations!.Begin(queue);
        }
        else if (queue.Existence == TopicExistence.Assured && queue.Limit == TopicLimit.Unasked && _life.State == ProducerState.Running)
        {
            _limits!.Ask(queue);
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
            _dispatcher.Schedule();
        }
    }

    // Under the lock.
    private string WaitedFor(PendingSend send)
    {
        var queue = send.Queue;
        return send switch
        {
            { Stage: SendStage.Preparing } => "its serializer or middleware",
            _ when _life.State == ProducerState.Rebuilding => $"a new producer after a fatal error: {SendFailure.Text(_life.Reason!)}",
            _ when queue.IsAtCapacity => $"room: {_backpressure!.Describe(queue.Topic)}",
            _ when queue.Existence != TopicExistence.Assured => "the topic's creation",
            _ when queue.Limit is TopicLimit.Unasked or TopicLimit.Asking => "the topic's max.message.bytes",
            _ when _refusals.Draining || queue.Limit == TopicLimit.Refused => "messages that are sent again after the broker refused their batch",
            _ when queue.IsTakenByOne => "an earlier message of its topic that is sent again alone, because the broker refused its batch for a record in it",
            _ when queue.Limit == TopicLimit.Limited =>
                "earlier messages of its topic: its max.message.bytes is below a batch, so that few are under way at a time",
            _ => "room in the client's queue: the broker acknowledges too slowly or is unreachable",
        };
    }
}
