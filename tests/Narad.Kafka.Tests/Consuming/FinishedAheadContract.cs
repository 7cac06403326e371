using System.Collections.Concurrent;
using System.Globalization;
using Confluent.Kafka;
using Narad.Kafka.Consuming;
using Narad.Kafka.Tests.OwnProcess;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>What is finished ahead of an unfinished message is not handled again by the next owner, and nothing else is left out.</summary>
public abstract class FinishedAheadContract<TBroker>(TBroker broker) : IClassFixture<TBroker>
    where TBroker : TestBroker
{
    private const int Continues = 3205;
    private const int Ignored = 3206;
    private protected const int Count = 400;
    private protected const int Slow = Count / 10;

    public static TheoryData<string> Foreign =>
        ["somebody's own text", "narad1;0;;0;0;wA==", "narad1;0;;", "narad1;0;;x;0;AAAA;;;", ";;;;;", "narad1;1;;x;0;wA=="];

    [SkippableTheory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    [Trait("Promise", "S34")]
    public async Task An_orderly_stop_repeats_nothing_however_much_is_finished_behind_a_blocked_message(KafkaGroupProtocol protocol)
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var handled = new Handled();
        await StopBehindBlockedAsync(group, topic, handled, o => o.GroupProtocol = protocol);
        var before = handled.Count;
        using var logs = new LogEvents();
        await using var second = await StartAsync(group, logs, o => o.GroupProtocol = protocol);
        await SubscribeAsync(second, topic, handled);
        await Waiting.Until(() => handled.Count == Count, "the rest is handled");

        handled.Repeated.Should().BeEmpty();
        await broker.CommittedReaches(group, topic, 0, Count);
        logs.Count(Continues).Should().Be(1);
        logs.Count(Ignored).Should().Be(0);
        var metrics = second.Groups.Single().Metrics;
        metrics.SkipsAsHandled.Should().BeInRange(Count - Slow - 9, before, "they are counted as handled before");
        metrics.Skips.Should().Be(0, "no policy skipped them");
    }

    [SkippableFact]
    [Trait("Promise", "S34")]
    public async Task An_owner_that_stops_before_it_has_read_it_all_passes_it_on()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var handled = new Handled();
        await StopBehindBlockedAsync(group, topic, handled);
        for (var round = 0; round < 2; round++)
        {
            // It reads 50 messages at most behind the first one, which does not finish until it stops.
            handled.Block();
            await using var next = await StartAsync(group, configure: static o => (o.MaxUncommittedMessages, o.MaxBufferedMessages) = (50, 50));
            await SubscribeAsync(next, topic, handled);
            await Waiting.Until(() => next.Groups.Single().Metrics.SkipsAsHandled > 30 && handled.IsBlocked, "it reads some of it");
            await StopAsync(next, handled);
        }

        await using var last = await StartAsync(group);
        await SubscribeAsync(last, topic, handled);
        await Waiting.Until(() => handled.Count == Count, "the rest is handled");
        handled.Repeated.Should().BeEmpty();
    }

    [SkippableFact]
    [Trait("Promise", "S34")]
    public async Task A_failed_message_that_stopped_its_partition_is_handled_again_and_what_was_finished_behind_it_is_not()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var handled = new Handled { FailsWhenReleased = true };
        await StopBehindBlockedAsync(group, topic, handled);
        handled.FailsWhenReleased = false;
        await using var second = await StartAsync(group);
        await SubscribeAsync(second, topic, handled);
        await Waiting.Until(() => handled.Count == Count, "the rest is handled");
        handled.Repeated.Should().BeEmpty();
    }

    [SkippableFact]
    [Trait("Promise", "S34")]
    public async Task A_reset_to_the_same_offset_by_an_administrator_repeats_all_behind_it()
    {
        Skip.If(broker is EmbeddedTestBroker, "The embedded broker takes no commit of a stranger for a group that had members.");
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var handled = new Handled();
        await StopBehindBlockedAsync(group, topic, handled);
        var committed = broker.Committed(group, topic, 0);
        broker.Commit(group, topic, 0, committed);
        handled.Clear();

        await using var second = await StartAsync(group);
        await SubscribeAsync(second, topic, handled);
        await Waiting.Until(() => handled.Count == Count - committed, "all behind the offset are handled again");
        handled.Repeated.Should().BeEmpty();
    }

    [SkippableFact]
    [Trait("Promise", "S34")]
    public async Task A_seek_by_name_repeats_all_also_what_was_finished_ahead()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var handled = new Handled();
        await StopBehindBlockedAsync(group, topic, handled);
        handled.Clear();
        handled.Block();
        await using (var second = await StartAsync(group))
        {
            var subscription = await SubscribeAsync(second, topic, handled);
            await Waiting.Until(() => handled.IsBlocked, "it handles");
            (await subscription.SeekToBeginningAsync()).Values.Should().Equal(0);
            handled.Clear();
            handled.Release();
            await Waiting.Until(() => handled.Distinct == Count, "all are handled again");
        }

        // What it had begun before the seek may be among them twice, and nothing of the metadata of before is left.
        await broker.CommittedReaches(group, topic, 0, Count);
        broker.CommittedWithMetadata(group, topic, 0)!.Value.Metadata.Should().BeNullOrEmpty();
    }

    [SkippableTheory]
    [MemberData(nameof(Foreign))]
    [Trait("Promise", "S34")]
    public async Task Metadata_of_others_is_ignored_and_all_are_handled(string metadata)
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 20);
        broker.Commit(group, topic, 0, 0, metadata);
        var handled = new Handled();
        using var logs = new LogEvents();
        await using var kafka = await StartAsync(group, logs);
        await SubscribeAsync(kafka, topic, handled);
        await Waiting.Until(() => handled.Count == 20, "all are handled");

        logs.The(Ignored).Level.Should().Be(Microsoft.Extensions.Logging.LogLevel.Information);
        logs.The(Ignored).Message.Should().NotContain(metadata, "anybody may have written it");
    }

    [SkippableFact]
    [Trait("Promise", "S34")]
    public async Task Metadata_of_a_topic_that_was_deleted_and_created_again_is_ignored()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var handled = new Handled();
        await StopBehindBlockedAsync(group, topic, handled);
        var committed = broker.CommittedWithMetadata(group, topic, 0)!.Value;
        RecordedAhead.CountOf(committed).Should().NotBeNull();
        group = broker.NewGroup();   // a broker forgets with the topic what a group has committed there
        await broker.RecreateTopicAsync(topic, 1);
        await broker.SendAsync(topic, 0, Count);
        broker.Commit(group, topic, 0, committed.Offset, committed.Metadata!);
        handled.Clear();

        using var logs = new LogEvents();
        await using var second = await StartAsync(group, logs);
        await SubscribeAsync(second, topic, handled);
        await Waiting.Until(() => handled.Count == Count - committed.Offset, "all messages of the new topic behind the offset are handled");
        logs.The(Ignored).Message.Should().Contain("same name");
    }

    [SkippableFact]
    [Trait("Promise", "S34")]
    [Trait("Promise", "S7")]
    public async Task After_a_lost_assignment_only_what_finished_since_the_last_commit_is_repeated()
    {
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        var handled = new Handled();
        handled.Block();
        await SendAsync(topic);
        await using var kafka = await StartAsync(group);
        await SubscribeAsync(kafka, topic, handled);
        await Waiting.Until(() => handled.Count == Count - Slow, "all other keys are handled");
        await Waiting.Until(() => AheadOf(group, topic) == Count - Slow, "what is finished ahead is committed while the offset stands still");
        await broker.EvictAsync(group, KafkaGroupProtocol.Classic);
        await Waiting.Until(() => kafka.Groups.Single().Metrics.SkipsAsHandled == Count - Slow, "it is assigned again and skips them");
        handled.Release();
        await Waiting.Until(() => handled.Distinct == Count, "the rest is handled");
        handled.Repeated.Should().BeSubsetOf([0L], "the handler that was cancelled had not finished");
    }

    [SkippableFact]
    [Trait("Promise", "S34")]
    [Shared.Long]
    public async Task After_a_kill_only_what_finished_since_the_last_commit_is_repeated()
    {
        var (brokers, topic, group) = (broker.Brokers, await broker.CreateTopicAsync(1), broker.NewGroup());
        await SendAsync(topic);
        var (_, output) = await ChildProcess.RunAsync(nameof(KilledConsumer), brokers, group, topic, $"{Count - Slow}");
        var first = output.Split(Environment.NewLine).Select(static line => long.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var offset)
            ? offset : -1).Where(static offset => offset >= 0).ToList();
        first.Should().HaveCount(Count - Slow, output).And.OnlyHaveUniqueItems();

        var handled = new Handled();
        await using var second = await StartAsync(group, configure: o => (o.Mode, o.Brokers, o.EmbeddedBroker) = (KafkaMode.Kafka, brokers, null));
        await SubscribeAsync(second, topic, handled);
        await Waiting.Until(() => handled.Count == Slow, "the key that stood still is handled");
        await broker.CommittedReaches(group, topic, 0, Count);
        handled.Offsets.Should().BeEquivalentTo(Enumerable.Range(0, Count).Select(static n => (long)n).Except(first));
    }

    private protected long? AheadOf(string group, string topic) =>
        broker.CommittedWithMetadata(group, topic, 0) is { } committed ? RecordedAhead.CountOf(committed) : null;

    /// <summary>Handles all keys but one of a partition, and stops in an orderly way.</summary>
    private protected async Task StopBehindBlockedAsync(string group, string topic, Handled handled,
        Action<KafkaOptions>? configure = null)
    {
        handled.Block();
        await SendAsync(topic);
        await using var first = await StartAsync(group, configure: configure);
        await SubscribeAsync(first, topic, handled);
        await Waiting.Until(() => handled.Count >= Count - Slow, "all other keys are handled");
        await StopAsync(first, handled);
    }

    private protected static async Task StopAsync(KafkaService kafka, Handled handled)
    {
        var loop = kafka.Groups.Single().Loop!;
        var stopping = kafka.DisconnectAsync();
        await Waiting.Until(() => loop.IsStopping, "nothing is started any more");
        handled.Release();
        await stopping;
    }

    private protected Task SendAsync(string topic) => broker.SendAsync(topic, 0, Count, static n => n % 10 == 0 ? "slow" : $"k{n % 7}");

    private protected static Task<ISubscription> SubscribeAsync(KafkaService kafka, string topic, Handled handled) =>
        kafka.SubscribeAsync<string>(topic, handled.HandleAsync, configure: static s => s.Parallelism = 64);

    private protected async Task<KafkaService> StartAsync(string group, LogEvents? logs = null, Action<KafkaOptions>? configure = null)
    {
        var service = new KafkaService(broker.Options(configure), logs);
        await service.ConnectConsumerAsync(group);
        return service;
    }

    /// <summary>What was finished. Messages of the key "slow" wait while it is blocked.</summary>
    private protected sealed class Handled
    {
        private readonly ConcurrentQueue<long> _offsets = new();
        private volatile TaskCompletionSource _release = new();
        private int _waiting;

        public Handled() => _release.SetResult();

        public bool FailsWhenReleased { get; set; }

        public int Count => _offsets.Count;

        public int Distinct => _offsets.Distinct().Count();

        public bool IsBlocked => Volatile.Read(ref _waiting) > 0;

        public IReadOnlyList<long> Offsets => [.. _offsets];

        public IReadOnlyList<long> Repeated => [.. _offsets.GroupBy(static offset => offset).Where(static same => same.Skip(1).Any())
            .Select(static same => same.Key)];

        public void Block() => _release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Release() => _release.TrySetResult();

        public void Clear() => _offsets.Clear();

        public async Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken)
        {
            if (context.Key.ToString() == "slow")
            {
                Interlocked.Increment(ref _waiting);
                try
                {
                    await _release.Task.WaitAsync(cancellationToken);
                }
                finally
                {
                    Interlocked.Decrement(ref _waiting);
                }

                if (FailsWhenReleased)
                {
                    throw new InvalidOperationException("it fails");
                }
            }

            _offsets.Enqueue(context.Offset);
        }
    }
}

public sealed class FinishedAheadOnTheEmbeddedBroker(EmbeddedTestBroker broker) : FinishedAheadContract<EmbeddedTestBroker>(broker)
{
    private const int Refused = 3208;

    [Theory]
    [InlineData(ErrorCode.OffsetMetadataTooLarge)]
    [InlineData(ErrorCode.InvalidCommitOffsetSize)]
    [Trait("Promise", "S34")]
    public async Task A_broker_that_refuses_the_metadata_gets_the_offsets_without_it_and_nothing_is_lost(ErrorCode refusal)
    {
        using var own = new EmbeddedTestBroker();
        var (topic, group) = (await own.CreateTopicAsync(1), own.NewGroup());
        var handled = new Handled();
        handled.Block();
        using var logs = new LogEvents();
        await own.SendAsync(topic, 0, Count, static n => n % 10 == 5 ? "slow" : $"k{n % 7}");
        var kafka = new KafkaService(own.Options(static o => o.CommitInterval = TimeSpan.FromMinutes(10)), logs);
        await kafka.ConnectConsumerAsync(group);
        await SubscribeAsync(kafka, topic, handled);
        await Waiting.Until(() => handled.Count == Count - Slow, "all other keys are handled");
        own.Broker.FailNext(KafkaRequest.OffsetCommit, refusal);
        await StopAsync(kafka, handled);
        await kafka.DisposeAsync();

        logs.Count(Refused).Should().Be(1);
        var committed = own.CommittedWithMetadata(group, topic, 0)!.Value;
        committed.Offset.Should().BeInRange(6, 15, "the first message of the slow key finished while it stopped");
        committed.Metadata.Should().BeNullOrEmpty();
        await using var second = new KafkaService(own.Options());
        await second.ConnectConsumerAsync(group);
        await SubscribeAsync(second, topic, handled);
        await Waiting.Until(() => handled.Distinct == Count, "all are handled");
    }

    [Fact]
    [Trait("Promise", "S34")]
    public async Task A_periodic_commit_that_is_refused_for_its_metadata_goes_on_without_it()
    {
        using var own = new EmbeddedTestBroker();
        var (topic, group) = (await own.CreateTopicAsync(1), own.NewGroup());
        var handled = new Handled();
        using var logs = new LogEvents();
        await using var kafka = new KafkaService(own.Options(), logs);
        await kafka.ConnectConsumerAsync(group);
        await SubscribeAsync(kafka, topic, handled);
        await own.SendAsync(topic, 0, 1);
        await own.CommittedReaches(group, topic, 0, 1);
        handled.Block();
        own.Broker.FailNext(KafkaRequest.OffsetCommit, ErrorCode.OffsetMetadataTooLarge);
        await own.SendAsync(topic, 0, [("slow", "s"), ("other", "o")]);
        await Waiting.Until(() => logs.Count(Refused) == 1, "the broker refused it");
        handled.Release();
        await own.CommittedReaches(group, topic, 0, 3);
        own.CommittedWithMetadata(group, topic, 0)!.Value.Metadata.Should().BeNullOrEmpty();
    }
}

public sealed class FinishedAheadOnRealKafka(KafkaTestBroker broker) : FinishedAheadContract<KafkaTestBroker>(broker);
