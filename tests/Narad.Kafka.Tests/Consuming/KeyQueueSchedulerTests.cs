using Confluent.Kafka;
using FsCheck;
using FsCheck.Fluent;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Outcome = Narad.Kafka.Consuming.Outcome;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>The scheduler as a state machine without a broker: what it is told is random, what it starts is watched.</summary>
public class KeyQueueSchedulerTests
{
    [Theory]
    [InlineData(MessageOrder.ByKey)]
    [InlineData(MessageOrder.ByPartition)]
    [InlineData(MessageOrder.Unordered)]
    [Trait("Promise", "S8")]
    [Trait("Promise", "S10")]
    [Trait("Promise", "S14")]
    public void Whatever_happens_order_holds_nothing_overlaps_and_nothing_is_forgotten(MessageOrder order) =>
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(60), Prop.ForAll<int>(seed =>
        {
            var fault = new Simulation(seed, order).Run();
            return (fault is null).Label($"seed {seed}: {fault}");
        }));

    [Theory]
    [InlineData(MessageOrder.ByKey)]
    [InlineData(MessageOrder.ByPartition)]
    [InlineData(MessageOrder.Unordered)]
    [Trait("Promise", "S33")]
    public void With_a_circuit_too_and_it_starts_nothing_but_its_probes_while_it_is_not_closed(MessageOrder order) =>
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(120), Prop.ForAll<int>(seed =>
        {
            var options = new CircuitBreakerOptions { MinimumThroughput = 3, FailureRatio = 0.2, BreakDuration = TimeSpan.FromSeconds(1),
                MaxBreakDuration = TimeSpan.FromSeconds(2) };
            var fault = new Simulation(seed, order, options).Run();
            return (fault is null).Label($"seed {seed}: {fault}");
        }));

    [Fact]
    [Trait("Promise", "S14")]
    public void A_pipeline_that_throws_stops_its_partition_and_costs_no_worker()
    {
        var stopped = new System.Collections.Concurrent.ConcurrentQueue<AssignedPartition>();
        var scheduler = new KeyQueueScheduler(parallelism: 1, MessageOrder.ByKey, batch: null, new ManualTime(), new ThrowingPipeline(),
            new CompletedDeliveries(), stopped.Enqueue);
        AssignedPartition[] partitions = [new(new TopicPartition("t", 0), null!), new(new TopicPartition("t", 1), null!)];
        foreach (var partition in partitions)
        {
            scheduler.Enqueue([new Delivery(partition, new ReceivedMessage(partition.Partition, 0, Key: [1], Value: null), 0)]);
        }

        SpinWait.SpinUntil(() => stopped.Count == 2, TimeSpan.FromMinutes(2)).Should().BeTrue("the one worker continues with the other partition");
        partitions.Should().OnlyContain(partition => scheduler.StateOf(partition) == PartitionState.Stopped
            && scheduler.FirstFailure(partition)!.Value.Reason is NotSupportedException);
        scheduler.RunningHandlers.Should().Be(0);
    }

    [Theory]
    [InlineData(MessageOrder.ByKey)]
    [InlineData(MessageOrder.ByPartition)]
    [InlineData(MessageOrder.Unordered)]
    [Trait("Promise", "S13")]
    public void What_a_revoked_partition_brought_is_not_kept_behind_a_handler_that_hangs(MessageOrder order)
    {
        var pipeline = new WatchedPipeline(order);
        var scheduler = new KeyQueueScheduler(parallelism: 1, order, batch: null, new ManualTime(), pipeline, new CompletedDeliveries(), static _ => { });
        var dropped = new List<WeakReference>();
        for (var epoch = 0; epoch < 3; epoch++)
        {
            dropped.AddRange(BringAndDrop(scheduler));
        }

        SpinWait.SpinUntil(() => pipeline.Running.Count == 1, TimeSpan.FromSeconds(10)).Should().BeTrue("its handler hangs");
        GC.Collect();
        dropped.Count(message => message.IsAlive).Should().Be(1, "only what the handler has is in memory");
    }

    [Fact]
    [Trait("Promise", "S33")]
    public void Two_schedulers_share_a_circuit_and_its_one_probe_and_both_go_on_when_it_closes()
    {
        var time = new ManualTime();
        var circuit = new CircuitBreaker(new CircuitBreakerOptions { MinimumThroughput = 1 }, "t", "g", new KafkaDiagnostics(time: time));
        var pipelines = new[] { new WatchedPipeline(MessageOrder.Unordered, circuit), new WatchedPipeline(MessageOrder.Unordered, circuit) };
        var schedulers = pipelines.Select(pipeline =>
            new KeyQueueScheduler(parallelism: 4, MessageOrder.Unordered, batch: null, time, pipeline, new CompletedDeliveries(), static _ => { }, circuit))
                .ToArray();
        var partitions = new[] { new AssignedPartition(new TopicPartition("t", 0), null!), new AssignedPartition(new TopicPartition("t-retry", 0), null!) };
        void Settled(int own, int retries) => SpinWait.SpinUntil(
            () => schedulers.All(static scheduler => scheduler.HasNoStartingWorker) && pipelines[0].Running.Count == own
                && pipelines[1].Running.Count == retries, TimeSpan.FromSeconds(10))
            .Should().BeTrue($"{own} and {retries} should run, not {pipelines[0].Running.Count} and {pipelines[1].Running.Count}");

        circuit.Failed(NewDelivery(partitions[0], 0), new TimeoutException()).Should().BeTrue();
        void Enqueue(int scheduler)
        {
            for (var i = 1; i < 5; i++)
            {
                schedulers[scheduler].Enqueue([NewDelivery(partitions[scheduler], i)]);
            }
        }

        Enqueue(0);
        Settled(0, 0);
        time.Advance(TimeSpan.FromSeconds(5));
        Settled(1, 0);
        Enqueue(1);   // while the other one's probe is out
        Settled(1, 0);
        schedulers[0].Drop(partitions[0]);
        Settled(1, 1);   // the one that hangs in a lost partition, and another probe
        circuit.Succeeded(pipelines[1].Running[0].Delivery);
        Settled(1, 4);   // while the probe's own worker is not even back
        schedulers[0].Enqueue([NewDelivery(partitions[0] = new AssignedPartition(new TopicPartition("t", 0), null!), 9)]);
        Settled(2, 4);
        pipelines.Select(static pipeline => pipeline.Fault).Should().AllBeEquivalentTo(default(string));
    }

    private static Delivery NewDelivery(AssignedPartition partition, long offset) =>
        new(partition, new ReceivedMessage(partition.Partition, offset, Key: null, Value: null), offset) { Attempts = offset == 0 ? 1 : 0 };

    // Not inlined, so that nothing here keeps what it brought.
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static List<WeakReference> BringAndDrop(KeyQueueScheduler scheduler)
    {
        var partition = new AssignedPartition(new TopicPartition("t", 0), null!);
        var brought = new List<WeakReference>();
        for (var i = 0; i < 20; i++)
        {
            var delivery = new Delivery(partition, new ReceivedMessage(partition.Partition, i, Key: [(byte)(i % 4)], Value: null), i);
            brought.Add(new WeakReference(delivery));
            scheduler.Enqueue([delivery]);
        }

        SpinWait.SpinUntil(() => scheduler is { HasNoStartingWorker: true, RunningHandlers: 1 }, TimeSpan.FromSeconds(10)).Should().BeTrue();
        scheduler.Drop(partition);
        return brought;
    }

    private sealed class Simulation
    {
        private const int Parallelism = 4;
        private readonly Random _random;
        private readonly ManualTime _time = new();
        private readonly CompletedDeliveries _completed = new();
        private readonly WatchedPipeline _pipeline;
        private readonly KeyQueueScheduler _queues;
        private readonly CircuitBreaker? _circuit;
        private readonly AssignedPartition[] _partitions = new AssignedPartition[3];
        private readonly HashSet<Delivery> _enqueued = [];
        private readonly HashSet<Delivery> _expected = [];
        private readonly HashSet<Delivery> _taken = [];
        private long _sequence;
        private string? _fault;

        public Simulation(int seed, MessageOrder order, CircuitBreakerOptions? circuit = null)
        {
            _random = new Random(seed);
            _circuit = circuit is null ? null : new CircuitBreaker(circuit, "t", "g", new KafkaDiagnostics(time: _time));
            _pipeline = new WatchedPipeline(order, _circuit);
            _queues = new KeyQueueScheduler(Parallelism, order, batch: null, _time, _pipeline, _completed, static _ => { }, _circuit);
            for (var i = 0; i < _partitions.Length; i++)
            {
                _partitions[i] = NewEpoch(i);
            }
        }

        public string? Run()
        {
            for (var step = 0; step < 250 && _fault is null; step++)
            {
                Step();
                Settle();
            }

            // To the end: everything continues, nothing fails any more.
            for (var i = 0; i < _partitions.Length; i++)
            {
                if (_queues.StateOf(_partitions[i]) is PartitionState.Draining)
                {
                    Drop(i);
                }

                _queues.Resume(_partitions[i], skipFirst: false);
            }

            for (var round = 0; round < 5_000 && _fault is null; round++)
            {
                Settle();
                _time.Advance(TimeSpan.FromMinutes(2));
                Settle();
                if (_pipeline.Running.Count == 0)
                {
                    break;
                }

                Finish(_pipeline.Running[0]);
            }

            Settle();
            if (_fault is not null)
            {
                return _fault;
            }

            if (!_expected.SetEquals(_taken))
            {
                return $"{_expected.Except(_taken).Count()} were never completed, "
                    + $"{_taken.Except(_expected).Count()} were completed though nobody finished them";
            }

            var forgotten = _enqueued.Count(delivery => _queues.StateOf(delivery.Partition) is not PartitionState.Gone && !_taken.Contains(delivery));
            return forgotten > 0 ? $"{forgotten} were never run"
                : _queues.KeyedQueues > 0 ? $"{_queues.KeyedQueues} key queues leaked"
                : _time.Timers > 0 ? $"{_time.Timers} timers leaked"
                : _circuit is { State: CircuitState.Open } ? "the circuit stays open"
                : _queues.RunningHandlers != 0 ? "handlers are counted that do not run"
                : null;
        }

        private void Step()
        {
            var at = _random.Next(_partitions.Length);
            switch (_random.Next(_circuit is null ? 30 : 36))
            {
                case < 13:
                    if (_queues.StateOf(_partitions[at]) is PartitionState.Active or PartitionState.Stopped)
                    {
                        Enqueue(_partitions[at]);
                    }

                    break;
                case < 20 when Any() is { } run:
                    Finish(run);
                    break;
                case 20 when Any() is { } run:
                    _pipeline.Complete(run, new Outcome(0, OutcomeKind.Stop, Error: new InvalidOperationException()));
                    break;
                case 21 or 22 when Any() is { } run:
                    _pipeline.Complete(run, new Outcome(0, OutcomeKind.Retry, TimeSpan.FromSeconds(_random.Next(3))));
                    break;
                case 23 when Any() is { } run:
                    _pipeline.Complete(run, new Outcome(0, OutcomeKind.Abandoned));
                    break;
                case 24:
                    if (_random.Next(3) == 0)
                    {
                        _queues.Drain(_partitions[at]);
                    }

                    break;
                case 25:
                    if (_random.Next(2) == 0 || _queues.StateOf(_partitions[at]) is PartitionState.Draining)
                    {
                        Drop(at);
                        _partitions[at] = NewEpoch(at);
                    }

                    break;
                case 26:
                    _queues.Resume(_partitions[at], skipFirst: false);
                    break;
                case 27:
                    if (_queues.Resume(_partitions[at], skipFirst: true) is (true, { } skipped))
                    {
                        _expected.Add(skipped);
                    }

                    break;
                case >= 30 when Any() is { } run:
                    Fail(run);
                    break;
                default:
                    _time.Advance(TimeSpan.FromSeconds(1));
                    break;
            }
        }

        private void Fail(Run run)
        {
            if (_circuit!.Failed(run.Delivery, new TimeoutException()))
            {
                run.Delivery.Attempts--;
                _pipeline.Complete(run, new Outcome(0, OutcomeKind.Retry));
            }
            else
            {
                _pipeline.Complete(run, new Outcome(0, OutcomeKind.Retry, TimeSpan.FromSeconds(_random.Next(3))));
            }
        }

        private Run? Any() => _pipeline.Running.Count == 0 ? null : _pipeline.Running[_random.Next(_pipeline.Running.Count)];

        private void Finish(Run run)
        {
            _expected.Add(run.Delivery);
            _circuit?.Succeeded(run.Delivery);
            _pipeline.Complete(run, Outcome.One);
        }

        private void Drop(int at) => _queues.Drop(_partitions[at]);

        private AssignedPartition NewEpoch(int number)
        {
            var epoch = new AssignedPartition(new TopicPartition("t", number), null!);
            _queues.Add(epoch);
            return epoch;
        }

        private void Enqueue(AssignedPartition partition)
        {
            var key = _random.Next(5);
            var delivery = new Delivery(partition, new ReceivedMessage(partition.Partition, _sequence, Key: key == 4 ? null : [(byte)key], Value: null),
                _sequence++);
            _enqueued.Add(delivery);
            _queues.Enqueue([delivery]);
        }

        // Until no worker is on its way; then what runs is checked, and what is completed is taken.
        private void Settle()
        {
            // Twice: between a probe's end and its worker's next step, which wakes others, it looks settled for a moment.
            bool IsSettled() => _queues.HasNoStartingWorker && _pipeline.Running.Count == _queues.RunningHandlers;
            var settled = SpinWait.SpinUntil(() => IsSettled() && Thread.Yield() is var _ && IsSettled(), TimeSpan.FromSeconds(10));
            _fault ??= _pipeline.Fault;
            if (!settled)
            {
                _fault ??= "it does not settle";
            }

            if (_queues.RunningByPartition.Sum(static busy => busy.Running) != _pipeline.Running.Count)
            {
                _fault ??= "a handler runs in no partition, or none does where one should";
            }

            if (_pipeline.Running.Count > Parallelism)
            {
                _fault ??= "more run than may";
            }

            var perPartition = _partitions.Sum(partition => _queues.RunningIn(partition));
            if (perPartition > _pipeline.Running.Count)
            {
                _fault ??= "the partitions count more than runs";
            }

            for (var delivery = _completed.TakeAll(); delivery is not null; delivery = delivery.Next)
            {
                if (!_taken.Add(delivery))
                {
                    _fault ??= "completed twice";
                }
            }
        }
    }

    private sealed record Run(Delivery Delivery, TaskCompletionSource<Outcome> Outcome);

    private sealed class ThrowingPipeline() : HandlerPipeline(
        SubscriptionSettings.From("t", "g", new SubscriptionOptions(), new KafkaOptions(), services: null), new ConsumingMetrics(), new KafkaDiagnostics())
    {
        protected override ValueTask<Outcome> HandleAsync(KeyQueue queue) => throw new NotSupportedException("a fault of our own");
    }

    private sealed class WatchedPipeline(MessageOrder order, CircuitBreaker? circuit = null) : HandlerPipeline(
        SubscriptionSettings.From("t", "g", new SubscriptionOptions(), new KafkaOptions(), services: null), new ConsumingMetrics(), new KafkaDiagnostics())
    {
        private readonly Lock _lock = new();
        private readonly List<Run> _running = [];
        private readonly Dictionary<(int, int), Delivery> _last = [];

        public string? Fault { get; private set; }

        public List<Run> Running
        {
            get
            {
                lock (_lock)
                {
                    return [.. _running];
                }
            }
        }

        public void Complete(Run run, Outcome outcome)
        {
            lock (_lock)
            {
                _running.Remove(run);
            }

            run.Outcome.SetResult(outcome);   // the worker continues here and now
        }

        protected override ValueTask<Outcome> HandleAsync(KeyQueue queue)
        {
            var run = new Run(queue.Head!, new TaskCompletionSource<Outcome>());
            run.Delivery.Attempts++;
            lock (_lock)
            {
                if (circuit is { State: not CircuitState.Closed } && !circuit.IsProbe(run.Delivery))
                {
                    Fault ??= $"started while the circuit is {circuit.State}";
                }

                if (run.Delivery.Partition.State is not PartitionState.Active)
                {
                    Fault ??= $"started in a partition that is {run.Delivery.Partition.State}";
                }

                if (LineOf(run.Delivery) is { } line)
                {
                    if (_running.Exists(other => LineOf(other.Delivery) == line))
                    {
                        Fault ??= "two of one line at once";
                    }

                    if (_last.TryGetValue(line, out var last) && last.Sequence > run.Delivery.Sequence)
                    {
                        Fault ??= $"{run.Delivery.Sequence} after {last.Sequence}";
                    }

                    _last[line] = run.Delivery;
                }

                _running.Add(run);
            }

            return new ValueTask<Outcome>(run.Outcome.Task);
        }

        private (int, int)? LineOf(Delivery delivery) => order switch
        {
            MessageOrder.ByPartition => (delivery.Partition.Id.Partition, -1),
            MessageOrder.ByKey when delivery.Key is { } key => (delivery.Partition.Id.Partition, key[0]),
            _ => null,
        };
    }
}
