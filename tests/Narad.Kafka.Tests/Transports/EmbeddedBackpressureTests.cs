using System.Collections.Concurrent;
using System.Diagnostics;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Shared;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Transports;

/// <summary>That the embedded broker loses nothing: sends wait while it is full of what no group has committed.</summary>
public sealed class EmbeddedBackpressureTests : IAsyncDisposable
{
    private const int Kilobyte = 1024;
    private static readonly TimeSpan Deadline = Waiting.Deadline;

    private readonly ConcurrentDictionary<(string Group, TopicPartition Partition), long> _committed = new();
    private readonly EmbeddedBackpressure _lock;

    public EmbeddedBackpressureTests() => _lock = new EmbeddedBackpressure(
        (group, partitions, _) => Task.FromResult<IReadOnlyList<TopicPartitionOffset>>(
            [.. partitions.Select(partition =>
                new TopicPartitionOffset(partition, _committed.TryGetValue((group, partition), out var offset) ? new Offset(offset) : Offset.Unset))]),
        TimeProvider.System,
        NullLogger.Instance);

    public ValueTask DisposeAsync() => _lock.DisposeAsync();

    [Fact]
    public void Sends_in_flight_stop_at_the_limit_and_failed_ones_make_room()
    {
        var entered = 0;
        while (_lock.TryEnter("t", Kilobyte))
        {
            entered++;
        }

        entered.Should().Be((int)(EmbeddedBackpressure.LimitBytes / (Kilobyte + EmbeddedBackpressure.Overhead)));
        _lock.TryEnter("another topic", Kilobyte).Should().BeTrue();
        _lock.Failed("t", Kilobyte);
        _lock.TryEnter("t", Kilobyte).Should().BeTrue();
        _lock.TryEnter("t", Kilobyte).Should().BeFalse();
    }

    [Fact]
    public void Only_the_fullest_partition_counts_and_small_messages_count_by_number()
    {
        Fill("spread", partitions: 6, bytes: 0).Should().BeGreaterThan((int)EmbeddedBackpressure.LimitBytes / EmbeddedBackpressure.Overhead * 5);
        Fill("one", partitions: 1, bytes: 0).Should().BeLessThan(80_000);
    }

    [Fact]
    public async Task A_waiting_send_continues_when_every_group_has_committed_and_not_before()
    {
        _lock.GroupReads("a", "t");
        _lock.GroupReads("b", "t");
        var sent = Fill("t", partitions: 1, Kilobyte);
        using var cancelled = new CancellationTokenSource();
        var waiting = WaitUntilAdmittedAsync("t", Kilobyte, cancelled.Token);

        _committed[("a", new TopicPartition("t", 0))] = sent;
        (await Task.WhenAny(waiting, Task.Delay(200))).Should().NotBe(waiting);
        _lock.Describe("t").Should().Contain("groups a, b");

        _committed[("b", new TopicPartition("t", 0))] = sent / 2;
        await waiting.WaitAsync(Deadline);
    }

    [Fact]
    public async Task Without_a_group_sends_wait_and_the_reason_says_so()
    {
        Fill("t", partitions: 1, Kilobyte);
        using var cancelled = new CancellationTokenSource(200);
        await FluentActions.Awaiting(() => WaitUntilAdmittedAsync("t", Kilobyte, cancelled.Token)).Should().ThrowAsync<OperationCanceledException>();
        _lock.Describe("t").Should().Contain("5 MiB a partition").And.Contain("topic t").And.Contain("no group in this process reads it");

        _lock.GroupReads("late", "t");
        _committed[("late", new TopicPartition("t", 0))] = 4_000;
        await WaitUntilAdmittedAsync("t", Kilobyte, default).WaitAsync(Deadline);
    }

    [Fact]
    public async Task A_message_above_the_limit_passes_alone_when_the_rest_is_empty()
    {
        _lock.TryEnter("t", 6 * Kilobyte * Kilobyte).Should().BeTrue();
        _lock.TryEnter("t", 1).Should().BeFalse();
        _lock.Acknowledged("t", 0, 0, 6 * Kilobyte * Kilobyte);
        _lock.TryEnter("t", 1).Should().BeFalse();

        _lock.GroupReads("g", "t");
        _committed[("g", new TopicPartition("t", 0))] = 1;
        await WaitUntilAdmittedAsync("t", 6 * Kilobyte * Kilobyte, default).WaitAsync(Deadline);
    }

    [Fact]
    public async Task A_deleted_topic_takes_its_backlog_with_it()
    {
        Fill("t", partitions: 2, Kilobyte);
        var waiting = WaitUntilAdmittedAsync("t", Kilobyte, default);
        _lock.Deleted("t");
        await waiting.WaitAsync(Deadline);
    }

    [Fact]
    public async Task Who_waits_when_the_broker_is_disposed_is_told()
    {
        Fill("t", partitions: 1, Kilobyte);
        var waiting = _lock.WaitAsync("t", default);
        await _lock.DisposeAsync();
        await FluentActions.Awaiting(() => waiting).Should().ThrowAsync<ObjectDisposedException>();
        await _lock.Awaiting(backpressure => backpressure.WaitAsync("t", default)).Should().ThrowAsync<ObjectDisposedException>();
    }

    [Fact]
    [Trait("Trap", "mock-drops-oldest")]
    public async Task Twenty_MiB_through_one_partition_arrive_whole_although_the_reader_is_slower()
    {
        const int Messages = 20_000;
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("t", 1);
        await using var transport = Transport.For(KafkaMode.Embedded, new KafkaOptions { EmbeddedBroker = broker }, new KafkaDiagnostics());
        var read = ReadAsync(broker.BootstrapServers, Messages, pauseEvery: 2_000);
        await SendAsync(transport, Messages, Kilobyte);
        (await read.WaitAsync(Deadline)).Should().Be(Messages);
    }

    [Fact]
    [NotInParallel("It measures processor time.")]
    public async Task A_message_takes_less_than_20_us_of_processor_time_through_six_partitions()
    {
        const int Messages = 400_000;
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("t", 6);
        await using var transport = Transport.For(KafkaMode.Embedded, new KafkaOptions { EmbeddedBroker = broker }, new KafkaDiagnostics());
        var read = ReadAsync(broker.BootstrapServers, Messages, pauseEvery: 0);
        var before = Environment.CpuUsage.TotalTime;
        await SendAsync(transport, Messages, 100);
        (await read.WaitAsync(Deadline)).Should().Be(Messages);
        ((Environment.CpuUsage.TotalTime - before) / Messages).TotalMicroseconds.Should().BeLessThan(20, "one processor carries 50,000 messages a second");
    }

    private int Fill(string topic, int partitions, int bytes)
    {
        var sent = 0;
        while (_lock.TryEnter(topic, bytes))
        {
            _lock.Acknowledged(topic, sent % partitions, sent / partitions, bytes);
            sent++;
        }

        return sent;
    }

    private async Task WaitUntilAdmittedAsync(string topic, int bytes, CancellationToken cancellationToken)
    {
        while (!_lock.TryEnter(topic, bytes))
        {
            await _lock.WaitAsync(topic, cancellationToken);
        }
    }

    private static async Task SendAsync(ITransport transport, int messages, int bytes)
    {
        var backpressure = transport.Backpressure!;
        backpressure.GroupReads("g", "t");
        using var producer = new ProducerBuilder<Null,
            byte[]>(new ProducerConfig
            {
                BootstrapServers = transport.BootstrapServers, QueueBufferingMaxMessages = 1_000_000, LingerMs = 5, StickyPartitioningLingerMs = 2,
            })
            .SetLogHandler((_, _) => { }).Build();
        var value = new byte[bytes];
        var failed = 0;
        for (var i = 0; i < messages; i++)
        {
            while (!backpressure.TryEnter("t", bytes))
            {
                await backpressure.WaitAsync("t", new CancellationTokenSource(Deadline).Token);
            }

            producer.Produce("t", new Message<Null, byte[]> { Value = value }, report =>
            {
                if (report.Error.IsError)
                {
                    Interlocked.Increment(ref failed);
                    backpressure.Failed("t", bytes);
                }
                else
                {
                    backpressure.Acknowledged("t", report.Partition.Value, report.Offset.Value, bytes);
                }
            });
        }

        producer.Flush(Deadline).Should().Be(0);
        failed.Should().Be(0);
    }

    private static Task<int> ReadAsync(string brokers, int messages, int pauseEvery) => Task.Factory.StartNew(
        () =>
        {
            using var consumer = new ConsumerBuilder<Ignore, byte[]>(new ConsumerConfig
            {
                BootstrapServers = brokers,
                GroupId = "g",
                AutoOffsetReset = AutoOffsetReset.Error,
                AutoCommitIntervalMs = 100,
                FetchWaitMaxMs = 10,
            }).SetPartitionsAssignedHandler((_, partitions) => partitions.Select(partition => new TopicPartitionOffset(partition, 0)))
                .SetLogHandler((_, _) => { }).Build();
            consumer.Subscribe("t");
            var read = 0;
            var watch = Stopwatch.StartNew();
            while (read < messages && watch.Elapsed < Deadline)
            {
                if (consumer.Consume(100) is null)
                {
                    continue;
                }

                read++;
                if (pauseEvery > 0 && read % pauseEvery == 0)
                {
                    Thread.Sleep(100);   // a reader that is slower than the sender is what this is about
                }
            }

            consumer.Close();
            return read;
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);
}
