using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Consuming;
using Narad.Kafka.Tests.Service;
using HealthStatus = Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus;

namespace Narad.Kafka.Tests.Failures;

/// <summary>An outage of what a handler needs is waited out, and does not empty its topic into the dead-letter topic.</summary>
public abstract class CircuitContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    private const int Assigned = 3001;
    private const int Lost = 3003;
    private const int Opened = 3080;
    private const int ProbeFailed = 3081;
    private const int Closed = 3082;

    [SkippableFact]
    [Trait("Promise", "S33")]
    public async Task An_outage_is_waited_out_beyond_the_poll_interval_and_then_all_the_rest_is_handled_in_order()
    {
        const int messages = 5_000;
        const int partitions = 4;
        const int parallelism = 16;
        var (topic, group) = (await broker.CreateTopicAsync(partitions), broker.NewGroup());
        for (var partition = 0; partition < partitions; partition++)
        {
            var p = partition;
            await broker.SendAsync(topic, p, messages / partitions, n => $"{p}/{n % 50}");
        }

        var database = new Database { IsDown = true };
        var log = new LogEvents();
        var client = RealKafka.NewName("circuit");
        await using var kafka = new KafkaService(
            broker.Options(options =>
            {
                options.ClientId = client;
                options.TopicCreation = TopicCreation.IfMissing;
                options.MaxPollInterval = options.SessionTimeout = broker.ShortestSession;
                options.MaxBufferedMessages = 500;   // so that fetching pauses meanwhile
            }),
            log);
        await kafka.ConnectConsumerAsync(group);
        var subscription = await kafka.SubscribeAsync<string>(
            topic,
            (message, context, token) => database.WriteAsync(context, message, token),
            configure: static s =>
            {
                s.Parallelism = parallelism;
                s.DeadLetter.Enabled = true;
                s.CircuitBreaker.Enabled = true;
                s.CircuitBreaker.BreakDuration = TimeSpan.FromMilliseconds(100);
                s.CircuitBreaker.MaxBreakDuration = TimeSpan.FromMilliseconds(400);
            });

        await Waiting.Until(() => log.Count(Opened) == 1, "the circuit opens");
        var outage = Stopwatch.StartNew();
        var health = await HealthReport.OfAsync(kafka);
        health.Status.Should().Be(HealthStatus.Degraded);
        health.Description.Should().MatchRegex($"circuit of '{topic}' in group '{group}' is (open|probing): TimeoutException, since 20")
            .And.NotContain("secret");
        Readings.Of("narad.kafka.circuits.open", client).Should().Be(1);
        await Waiting.Until(() => log.Count(ProbeFailed) > 8, "it is tried again and again");
        await Waiting.Until(() => outage.Elapsed > broker.ShortestSession * 1.5, "longer than a member may be silent");
        var tried = database.Tries;
        tried.Should().BeLessThanOrEqualTo(20 + parallelism + log.Count(ProbeFailed) + 1, "one message at a time is tried");
        subscription.CircuitState.Should().NotBe(CircuitState.Closed);
        subscription.Assignment.Should().HaveCount(partitions);
        subscription.StoppedPartitions.Should().BeEmpty();

        database.IsDown = false;
        var deadLetters = kafka.Groups.First().Metrics.DeadLetters;
        await Waiting.Until(() => database.Written + deadLetters == messages, "the rest is handled", TimeSpan.FromSeconds(60));
        for (var partition = 0; partition < partitions; partition++)
        {
            await broker.CommittedReaches(group, topic, partition, messages / partitions);
        }

        kafka.Groups.First().Metrics.DeadLetters.Should().Be(deadLetters);
        deadLetters.Should().BeInRange(1, 19, "the twentieth failure opens it, and what runs then is postponed");
        subscription.CircuitState.Should().Be(CircuitState.Closed);
        Readings.Of("narad.kafka.circuits.open", client).Should().Be(0);
        (await HealthReport.OfAsync(kafka)).Status.Should().Be(HealthStatus.Healthy);
        log.Count(Closed).Should().Be(1);
        log.Count(Opened).Should().Be(1);
        log.Count(Lost).Should().Be(0);
        log.Count(Assigned).Should().Be(1, "it has been a member all the time");
        database.OrderFaults.Should().BeEmpty();
        database.MostWritesOfOne.Should().Be(1);
        database.Attempts.Should().OnlyContain(static attempt => attempt == 1, "what failed during the outage does not count");
        broker.ReadAll($"{topic}-dlt", (int)deadLetters).Should().HaveCount((int)deadLetters);
    }

    [SkippableFact]
    [Trait("Promise", "S33")]
    public async Task With_retries_in_memory_what_failed_before_it_opened_goes_back_as_well()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 24);
        var database = new Database { IsDown = true };
        var log = new LogEvents();
        await using var kafka = await StartAsync(group, log);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, context, token) => database.WriteAsync(context, message, token),
            configure: static s =>
            {
                s.Retry.InMemory.MaxAttempts = 1;
                s.Retry.InMemory.Delay = TimeSpan.FromMilliseconds(500);
                s.DeadLetter.Enabled = true;
                s.CircuitBreaker.Enabled = true;
                s.CircuitBreaker.BreakDuration = TimeSpan.FromMilliseconds(200);
                s.CircuitBreaker.MaxBreakDuration = TimeSpan.FromMilliseconds(200);
            });

        await Waiting.Until(() => log.Count(ProbeFailed) > 12, "it is open for longer than the retries wait, which are tried themselves");
        database.IsDown = false;
        await broker.CommittedReaches(group, topic, 0, 24);

        database.Written.Should().Be(24);
        kafka.Groups.First().Metrics.DeadLetters.Should().Be(0);
        database.Attempts.Should().OnlyContain(static attempt => attempt <= 2);
    }

    [SkippableFact]
    [Trait("Promise", "S33")]
    public async Task Poison_messages_do_not_open_it_and_neither_do_failures_of_another_type()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 400);
        await broker.SendAsync(topic, 1, 200);
        var log = new LogEvents();
        await using var kafka = await StartAsync(group, log);
        await kafka.SubscribeAsync<int>(
            topic,
            static (message, context, _) => context.Partition == 1 ? throw new InvalidOperationException("outside", new FormatException())
                : message % 5 == 0 ? throw new TimeoutException()
                : Task.CompletedTask,
            configure: static s =>
            {
                s.DeadLetter.Enabled = true;
                s.CircuitBreaker.Enabled = true;
                s.CircuitBreaker.ExceptionTypes.Add(typeof(TimeoutException));
            });

        await broker.CommittedReaches(group, topic, 0, 400);
        await broker.CommittedReaches(group, topic, 1, 200);

        log.Count(Opened).Should().Be(0);
        kafka.Groups.First().Metrics.DeadLetters.Should().Be(80 + 200);
    }

    [SkippableFact]
    [Trait("Promise", "S33")]
    public async Task A_poison_message_that_is_alone_with_its_key_does_not_keep_it_open_for_ever()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, [("k", "poison"), ("k", "a"), ("k", "b")]);
        var log = new LogEvents();
        var handled = new ConcurrentQueue<string>();
        var attempts = new ConcurrentQueue<int>();
        await using var kafka = await StartAsync(group, log);
        await kafka.SubscribeAsync<string>(
            topic,
            (message, context, _) =>
            {
                if (message == "poison")
                {
                    attempts.Enqueue(context.Attempt);
                    throw new InvalidOperationException();
                }

                handled.Enqueue(message);
                return Task.CompletedTask;
            },
            configure: static s =>
            {
                s.DeadLetter.Enabled = true;
                s.CircuitBreaker.Enabled = true;
                s.CircuitBreaker.MinimumThroughput = 1;
                s.CircuitBreaker.BreakDuration = TimeSpan.FromMilliseconds(20);
            });

        await broker.CommittedReaches(group, topic, 0, 3);

        handled.Should().Equal("a", "b");
        attempts.Should().Equal(1, 1, 1, 1);
        log.Count(ProbeFailed).Should().Be(3);
        log.Count(Closed).Should().Be(1);
        Encoding.UTF8.GetString(broker.ReadAll($"{topic}-dlt", 1).Should().ContainSingle().Subject.Message.Value!).Should().Be("poison");
    }

    [SkippableFact]
    [Trait("Promise", "S33")]
    public async Task A_shutdown_while_it_is_open_waits_for_nothing_and_the_next_member_handles_what_is_left()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 100);
        await broker.SendAsync(topic, 1, 100);
        var log = new LogEvents();
        long deadLetters;
        await using (var first = await StartAsync(group, log))
        {
            await first.SubscribeAsync<string>(topic, static (_, _, _) => throw new TimeoutException(), configure: static s =>
            {
                s.DeadLetter.Enabled = true;
                s.CircuitBreaker.Enabled = true;
                s.CircuitBreaker.BreakDuration = TimeSpan.FromMinutes(1);
            });
            await Waiting.Until(() => log.Count(Opened) == 1 && first.Groups.First()
                .Metrics.DeadLetters > 0, "the circuit opens, and what failed before is a dead letter");
            using var stalls = new Stalls();
            var watch = Stopwatch.StartNew();
            (await first.DisconnectAsync()).Abandoned.Should().BeEmpty();
            watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(8) + stalls.Allowance, "nothing runs");
            deadLetters = first.Groups.First().Metrics.DeadLetters;
            deadLetters.Should().BeLessThan(20);
        }

        var handled = new ConcurrentDictionary<(int, long), bool>();
        await using var second = await StartAsync(group, log);
        await second.SubscribeAsync<string>(topic, (_, context, _) =>
        {
            handled[(context.Partition, context.Offset)] = true;
            return Task.CompletedTask;
        });
        await broker.CommittedReaches(group, topic, 0, 100);
        await broker.CommittedReaches(group, topic, 1, 100);
        handled.Count.Should().BeGreaterThanOrEqualTo(200 - (int)deadLetters).And.BeLessThan(200);
    }

    [SkippableFact]
    [Trait("Promise", "S33")]
    public async Task Control_by_name_works_while_it_is_open()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 20, static _ => "k");
        var database = new Database { IsDown = true };
        var log = new LogEvents();
        await using var kafka = await StartAsync(group, log);
        var subscription = await kafka.SubscribeAsync<string>(
            topic,
            (message, context, token) => database.WriteAsync(context, message, token),
            configure: static s =>
            {
                s.CircuitBreaker.Enabled = true;
                s.CircuitBreaker.MinimumThroughput = 1;
                s.CircuitBreaker.BreakDuration = TimeSpan.FromMilliseconds(50);
                s.CircuitBreaker.MaxBreakDuration = TimeSpan.FromMilliseconds(50);
            });
        await Waiting.Until(() => log.Count(ProbeFailed) > 0, "the circuit is open");
        await subscription.PauseAllAsync();
        await Waiting.Until(() => subscription.CircuitState is CircuitState.HalfOpen && kafka.Groups.First().Loop!.BufferedMessages > 0
            && subscription.PausedPartitions.Count == 1, "nothing is ready to be tried");
        (await subscription.SeekAsync(new TopicPartitionId(topic, 0), 15)).Should().BeTrue();
        database.IsDown = false;
        await subscription.ResumeAllAsync();

        await broker.CommittedReaches(group, topic, 0, 20);
        database.Offsets(0).Should().Equal(15, 16, 17, 18, 19);
        subscription.CircuitState.Should().Be(CircuitState.Closed);
    }

    [SkippableFact]
    [Trait("Promise", "S33")]
    public async Task A_probe_whose_partition_is_taken_away_does_not_keep_the_others_waiting()
    {
        var (topic, group) = (await broker.CreateTopicAsync(2), broker.NewGroup());
        await broker.SendAsync(topic, 0, 10, static _ => "k");
        await broker.SendAsync(topic, 1, 10, static _ => "k");
        var log = new LogEvents();
        var hanging = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var released = new TaskCompletionSource();
        var handled = new ConcurrentDictionary<int, bool>();
        await using var kafka = await StartAsync(group, log);
        var invocations = 0;
        await kafka.SubscribeAsync<string>(
            topic,
            async (message, context, token) =>
            {
                switch (Interlocked.Increment(ref invocations))
                {
                    case 1:
                        await Waiting.Until(() => Volatile.Read(ref invocations) == 2, "both partitions run");
                        throw new TimeoutException();
                    case 2:
                        await Waiting.Until(() => log.Count(Opened) == 1, "the other one opened it");
                        throw new TimeoutException();
                    case 3:
                        hanging.SetResult(context.Partition);
                        await released.Task;
                        break;
                    default:
                        handled[context.Partition] = true;
                        break;
                }
            },
            configure: static s =>
            {
                s.CircuitBreaker.Enabled = true;
                s.CircuitBreaker.MinimumThroughput = 1;
                s.CircuitBreaker.BreakDuration = TimeSpan.FromMilliseconds(20);
            });

        var partition = await hanging.Task.WaitAsync(Waiting.Deadline);
        // drops what waits; the handler that hangs is of another epoch
        await kafka.Subscriptions.Single().SeekAsync(new TopicPartitionId(topic, partition), 5);

        await Waiting.Until(() => handled.ContainsKey(1 - partition), "the other partition's message was tried and closed it");
        await Waiting.Until(() => kafka.Subscriptions.Single().CircuitState is CircuitState.Closed, "it is closed when that one succeeded");
        await broker.CommittedReaches(group, topic, 1 - partition, 10);
        released.SetResult();
    }

    [SkippableFact]
    [Trait("Promise", "S33")]
    public async Task Batches_are_counted_as_one_and_probed_with_one_message()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 1_000);
        var down = true;
        var log = new LogEvents();
        var sizes = new ConcurrentQueue<int>();
        var handled = new ConcurrentQueue<int>();
        await using var kafka = await StartAsync(group, log);
        await kafka.SubscribeBatchAsync<int>(
            topic,
            (batch, _) =>
            {
                sizes.Enqueue(batch.Items.Count);
                if (Volatile.Read(ref down))
                {
                    throw new TimeoutException();
                }

                foreach (var item in batch.Items)
                {
                    handled.Enqueue(item.Message);
                }

                return Task.CompletedTask;
            },
            configure: static s =>
            {
                s.MaxBatchSize = 100;
                s.DeadLetter.Enabled = true;
                s.CircuitBreaker.Enabled = true;
                s.CircuitBreaker.MinimumThroughput = 3;
                s.CircuitBreaker.BreakDuration = TimeSpan.FromMilliseconds(200);
            });

        await Waiting.Until(() => log.Count(ProbeFailed) == 2, "two messages were tried");
        Volatile.Write(ref down, false);
        await broker.CommittedReaches(group, topic, 0, 1_000);

        sizes.Take(6).Should().Equal(100, 100, 100, 1, 1, 1);
        kafka.Groups.First().Metrics.DeadLetters.Should().Be(2, "the first messages of the two batches that failed before it opened");
        handled.Should().Equal(Enumerable.Range(2, 998));
    }

    private async Task<KafkaService> StartAsync(string group, LogEvents log)
    {
        var service = new KafkaService(broker.Options(static options => options.TopicCreation = TopicCreation.IfMissing), log);
        await service.ConnectConsumerAsync(group);
        return service;
    }

    /// <summary>What a handler needs: it is down or it is up.</summary>
    private sealed class Database
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<(int Partition, MessageKey Key), long> _last = [];
        private readonly Dictionary<(int Partition, long Offset), int> _written = [];
        private readonly List<long>[] _offsets = [[], [], [], []];
        private volatile bool _isDown;
        private int _tries;

        public bool IsDown
        {
            get => _isDown;
            set => _isDown = value;
        }

        public int Tries => Volatile.Read(ref _tries);

        public ConcurrentQueue<string> OrderFaults { get; } = new();

        public ConcurrentQueue<int> Attempts { get; } = new();

        public int Written
        {
            get
            {
                lock (_lock)
                {
                    return _written.Count;
                }
            }
        }

        public int MostWritesOfOne
        {
            get
            {
                lock (_lock)
                {
                    return _written.Values.Max();
                }
            }
        }

        public IReadOnlyList<long> Offsets(int partition)
        {
            lock (_lock)
            {
                return [.. _offsets[partition]];
            }
        }

        public async Task WriteAsync(MessageContext context, string message, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _tries);
            Attempts.Enqueue(context.Attempt);
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
            if (IsDown)
            {
                throw new TimeoutException($"database 'secret' did not answer for {message}");
            }

            lock (_lock)
            {
                var line = (context.Partition, context.Key);
                if (_last.TryGetValue(line, out var last) && last >= context.Offset)
                {
                    OrderFaults.Enqueue($"{context} after {last}");
                }

                _last[line] = context.Offset;
                var place = (context.Partition, context.Offset);
                _written[place] = _written.GetValueOrDefault(place) + 1;
                _offsets[context.Partition].Add(context.Offset);
            }
        }
    }
}

public sealed class CircuitOnEmbedded(EmbeddedTestBroker broker) : CircuitContract<EmbeddedTestBroker>(broker);

public sealed class CircuitOnKafka(KafkaTestBroker broker) : CircuitContract<KafkaTestBroker>(broker);
