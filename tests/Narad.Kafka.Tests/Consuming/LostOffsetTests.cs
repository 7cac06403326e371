using Confluent.Kafka;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Tests.Producing;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>Offsets that are not in the log any more, as the client reports them: on a fake client, since only several brokers can truncate a log.</summary>
public sealed class LostOffsetTests
{
    // librdkafka's text for a log that was cut at 1000 below a position of 1500; the offset in the report is INVALID.
    private const string Truncated = 
        "Partition log truncation detected at offset 1500 (leader epoch 0): broker end offset is 1000 (offset leader epoch 0). "
        + "Reset to INVALID.: Local: Partition log truncation detected (broker 2)";
    private const string NothingCommitted = "no previously committed offset available: Local: No offset stored";

    private readonly ManualTime _time = new();
    private readonly LogEventsAndErrors _seen = new();

    [Theory]
    [InlineData(StartPosition.Latest)]
    [InlineData(StartPosition.Earliest)]
    [Trait("Promise", "S32")]
    [Trait("Trap", "truncation-without-offset")]
    public void A_truncated_log_stops_the_partition_and_is_never_taken_for_a_new_group(StartPosition start)
    {
        var group = New(s => s.StartPosition = start);
        group.Partition.Tracker.Add(1_499, leaderEpoch: 0);
        group.Starts.Missing(group.Partition, Offset.Unset, Truncated);
        group.Starts.DecideDue();

        group.Partition.Unreadable.Should().BeOfType<OffsetUnavailableException>().Which.Message.Should().Contain("Log truncated").And.Contain("1500")
            .And.Contain("1000").And.NotContain("restart");
        group.Partition.UnreadableAt.Should().Be(1_500);
        group.Metrics.Truncations.Should().Be(1);
        group.Metrics.Resets.Should().Be(0);
        group.Fake.Told.Should().NotContain(told => told.Call == nameof(group.Client.IncrementalAssign), "it continues nowhere");
    }

    [Theory]
    [InlineData(OutOfRangePolicy.ResetToEarliest, 0)]
    [InlineData(OutOfRangePolicy.ResetToLatest, 1_200)]
    [Trait("Promise", "S32")]
    [Trait("Promise", "S10")]
    public void A_truncated_log_is_reset_as_the_policy_says_counted_and_committed_back(OutOfRangePolicy policy, long start)
    {
        var group = New(s => s.OnOutOfRange = policy);
        var arrival = group.Partition.Tracker.Add(1_499, leaderEpoch: 3);
        group.Partition.Tracker.Finish(arrival);
        group.Offsets.Store(group.Partition);
        group.Starts.Missing(group.Partition, Offset.Unset, Truncated);
        group.Starts.DecideDue();

        group.Fake.ToldTo(nameof(group.Client.IncrementalAssign)).Single()!.Offset.Value.Should().Be(start);
        group.Metrics.Truncations.Should().Be(1);
        group.Metrics.Resets.Should().Be(1);

        // Before anything of the new log is handled: a restart now must not continue at what was lost.
        group.Current.Should().NotBeSameAs(group.Partition, "completions of the old log change nothing");
        group.Offsets.Store(group.Current);
        group.Fake.ToldTo(nameof(group.Client.StoreOffset)).Last()!.Offset.Value.Should().Be(start);
        group.Fake.ToldTo(nameof(group.Client.Commit)).Last()!.Offset.Value.Should().Be(start);
    }

    [Fact]
    [Trait("Promise", "S32")]
    public void A_truncation_found_at_the_start_is_told_from_a_new_group_by_what_the_group_committed()
    {
        var group = New(s => s.StartPosition = StartPosition.Latest);
        group.Fake.Answer(nameof(group.Client.Committed), _ => new List<TopicPartitionOffset> { new(group.Partition.Partition, 1_500, 0) });
        group.Starts.Missing(group.Partition, Offset.Unset, "words of another version");
        group.Starts.DecideDue();

        group.Partition.Unreadable.Should().BeOfType<OffsetUnavailableException>().Which.Message.Should().Contain("1500").And.Contain("truncated");
        group.Partition.UnreadableAt.Should().Be(1_500);
    }

    [Fact]
    [Trait("Promise", "S32")]
    public void A_group_that_has_committed_nothing_starts_where_its_start_position_says()
    {
        var group = New(s => s.StartPosition = StartPosition.Latest);
        group.Starts.Missing(group.Partition, Offset.Unset, NothingCommitted);
        group.Starts.DecideDue();

        group.Fake.ToldTo(nameof(group.Client.IncrementalAssign)).Single()!.Offset.Value.Should().Be(1_200);
        group.Metrics.Truncations.Should().Be(0);
        group.Metrics.Resets.Should().Be(0);
        group.Partition.Unreadable.Should().BeNull();
    }

    [Fact]
    [Trait("Promise", "S32")]
    public void Nothing_is_decided_while_nobody_says_what_the_group_committed()
    {
        var group = New(s => s.StartPosition = StartPosition.Latest);
        group.Fake.Answer(nameof(group.Client.Committed), static _ => throw new KafkaException(ErrorCode.Local_TimedOut));
        group.Starts.Missing(group.Partition, Offset.Unset, NothingCommitted);
        group.Starts.DecideDue();

        group.Fake.Told.Should().NotContain(told => told.Call == nameof(group.Client.IncrementalAssign));
        _seen.Errors.Should().Equal(ErrorCode.Local_TimedOut);

        group.Fake.Answer(nameof(group.Client.Committed), _ => new List<TopicPartitionOffset> { new(group.Partition.Partition, 1_500, 0) });
        _time.Advance(TimeSpan.FromSeconds(1));
        group.Starts.DecideDue();
        group.Partition.UnreadableAt.Should().Be(1_500);
    }

    [Fact]
    [Trait("Promise", "S32")]
    public void What_is_committed_carries_the_leader_epoch_and_an_earlier_epoch_is_committed_back()
    {
        var group = New();
        group.Partition.Tracker.Finish(group.Partition.Tracker.Add(9, leaderEpoch: 4));
        group.Offsets.Store(group.Partition);
        group.Fake.ToldTo(nameof(group.Client.StoreOffset)).Single().Should().Be(new TopicPartitionOffset(group.Partition.Partition, 10, 4));
        group.Fake.ToldTo(nameof(group.Client.StoreOffset)).Single()!.LeaderEpoch.Should().Be(4);
        group.Fake.ToldTo(nameof(group.Client.Commit)).Should().BeEmpty();

        // Of a topic that was created again: the client itself would keep the position of the later epoch.
        group.Partition.Tracker.Finish(group.Partition.Tracker.Add(19, leaderEpoch: 0));
        group.Offsets.Store(group.Partition);
        group.Fake.ToldTo(nameof(group.Client.Commit)).Single()!.Offset.Value.Should().Be(20);
    }

    [Fact]
    [Trait("Promise", "S32")]
    public void A_partition_that_is_resumed_is_sought_with_the_epoch_so_that_a_truncation_meanwhile_is_seen()
    {
        var group = New();
        group.Partition.Tracker.Add(9, leaderEpoch: 4);
        group.Partition.Paused = true;
        group.Assignment.SetPause(group.Partition);
        var sought = group.Fake.ToldTo(nameof(group.Client.Seek)).Single()!;
        (sought.Offset.Value, sought.LeaderEpoch).Should().Be((10, 4));
    }

    [Fact]
    [Trait("Promise", "S32")]
    [Trait("Trap", "start-not-validated")]
    public async Task A_partition_is_not_fetched_before_the_client_was_told_to_compare_what_is_committed_with_the_log()
    {
        var group = New();
        var check = new PositionCheck(group.Assignment, comparesEpochs: true, _time, _seen.Logger);
        var answer = new TaskCompletionSource<List<TopicPartitionOffset>>();
        group.Fake.Answer(nameof(group.Client.Committed), _ => answer.Task.GetAwaiter().GetResult());
        group.Fake.Answer(nameof(group.Client.Seek), static _ => throw new KafkaException(ErrorCode.Local_State));

        check.Begin(group.Partition);
        check.Turn();
        group.Assignment.UpdatePauses();
        group.Partition.Paused.Should().BeTrue("nothing may be fetched yet");

        answer.SetResult([new TopicPartitionOffset(group.Partition.Partition, 1_500, 2)]);
        await Waiting.Until(
            () =>
            {
                check.Turn();
                return group.Fake.ToldTo(nameof(group.Client.Seek)).Any();
            },
            "it is told to seek");
        group.Partition.Paused.Should().BeTrue("the client does not fetch yet, so it has not been told");

        group.Fake.Answer(nameof(group.Client.Seek), static _ => null);
        check.Turn();
        var sought = group.Fake.ToldTo(nameof(group.Client.Seek)).Last()!;
        (sought.Offset.Value, sought.LeaderEpoch).Should().Be((1_500, 2));
        group.Partition.Paused.Should().BeFalse();
    }

    [Fact]
    [Trait("Promise", "S32")]
    public async Task A_partition_without_a_committed_epoch_is_fetched_as_soon_as_that_is_known()
    {
        var group = New();
        var check = new PositionCheck(group.Assignment, comparesEpochs: true, _time, _seen.Logger);
        var fails = true;
        group.Fake.Answer(nameof(group.Client.Committed), asked => fails ? throw new KafkaException(ErrorCode.Local_TimedOut)
            : new List<TopicPartitionOffset> { new(group.Partition.Partition, 1_500) });
        check.Begin(group.Partition);
        group.Assignment.UpdatePauses();
        await Waiting.Until(
            () =>
            {
                check.Turn();
                return _seen.Log.Count(3048) == 1;
            },
            "the look-up failed");
        group.Partition.Paused.Should().BeTrue("it is asked for again");

        fails = false;
        _time.Advance(TimeSpan.FromSeconds(2));
        await Waiting.Until(
            () =>
            {
                check.Turn();
                return group.Partition.Paused is false;
            },
            "it is fetched");
        group.Fake.ToldTo(nameof(group.Client.Seek)).Should().BeEmpty();
    }

    [Fact]
    [Trait("Promise", "S32")]
    public async Task Where_the_end_is_the_start_the_subscription_runs_only_when_the_end_is_known()
    {
        var group = New(s => s.StartPosition = StartPosition.Latest);
        var check = new PositionCheck(group.Assignment, comparesEpochs: false, _time, _seen.Logger);
        var starting = new StartingSubscriptions(group.Assignment, "g", _time, _seen.Logger);
        var end = new TaskCompletionSource<WatermarkOffsets>();
        group.Fake.Answer(nameof(group.Client.QueryWatermarkOffsets), _ => end.Task.GetAwaiter().GetResult());
        check.Begin(group.Partition);
        starting.Joined(group.Partition.Subscription);
        check.Turn();
        starting.Turn();
        group.Partition.Subscription.State.Should().Be(SubscriptionState.Joining);

        end.SetResult(new WatermarkOffsets(0, 700));
        await Waiting.Until(
            () =>
            {
                check.Turn();
                starting.Turn();
                return group.Partition.Subscription.State is SubscriptionState.Running;
            },
            "it runs");

        // What the client reports later changes nothing: a second look would skip what came between.
        group.Starts.Missing(group.Partition, Offset.Unset, NothingCommitted);
        group.Starts.DecideDue();
        group.Fake.ToldTo(nameof(group.Client.IncrementalAssign)).Single()!.Offset.Value.Should().Be(700);
        group.Metrics.Truncations.Should().Be(0);
        group.Offsets.Store(group.Partition);
        group.Fake.ToldTo(nameof(group.Client.StoreOffset)).Single()!.Offset.Value.Should().Be(700);
    }

    [Theory]
    [InlineData(20, 10, 1)]
    [InlineData(20, 25, 0)]
    [InlineData(40, 10, 0)]
    [Trait("Promise", "S32")]
    public async Task What_was_read_and_not_committed_is_named_where_its_log_is_cut_after_the_partition_was_lost(long end, long committed, int said)
    {
        var group = New();
        group.Partition.Tracker.Add(29, leaderEpoch: 4);
        group.Partition.Stored = committed;
        group.Fake.Answer(nameof(group.Client.QueryWatermarkOffsets), static _ => throw new KafkaException(ErrorCode.LeaderNotAvailable));
        var lost = new LostPositions(group.Group, _time, _seen.Logger);
        lost.Add(group.Partition);
        await AskedAsync(1);
        group.Metrics.Truncations.Should().Be(0, "nobody says where it ends yet");

        group.Fake.Answer(nameof(group.Client.QueryWatermarkOffsets), _ => new WatermarkOffsets(0, end));
        _time.Advance(TimeSpan.FromSeconds(1));
        await AskedAsync(2);
        _time.Advance(TimeSpan.FromSeconds(1));
        lost.Turn(group.Client);
        lost.Asking.IsCompleted.Should().BeTrue("it is known");
        group.Metrics.Truncations.Should().Be(said);
        _seen.Log.Count(3037).Should().Be(said);
        _seen.Log.All.Count(static logged => logged.Message.Contains("t[0] ends at offset 20", StringComparison.Ordinal)
            && logged.Message.Contains("to offset 30", StringComparison.Ordinal)).Should().Be(said);

        async Task AskedAsync(int times)
        {
            await Waiting.Until(
                () =>
                {
                    lost.Turn(group.Client);
                    return lost.Asking.IsCompleted && group.Fake.ToldTo(nameof(group.Client.QueryWatermarkOffsets)).Count() == times;
                },
                "the end is asked for");
            lost.Turn(group.Client);
        }
    }

    private Fixture New(Action<SubscriptionOptions>? configure = null) => new(configure, _time, _seen);

    private sealed class LogEventsAndErrors
    {
        public Service.LogEvents Log { get; } = new();

        public List<ErrorCode> Errors { get; } = [];

        public Microsoft.Extensions.Logging.ILogger Logger => Log.CreateLogger("test");
    }

    private sealed class Fixture
    {
        public Fixture(Action<SubscriptionOptions>? configure, TimeProvider time, LogEventsAndErrors seen)
        {
            var diagnostics = new KafkaDiagnostics(seen.Log, time);
            var group = new ConsumerGroup("g", new FakeTransport(), new KafkaOptions(), diagnostics, static (_, _) => { });
            var options = new SubscriptionOptions();
            configure?.Invoke(options);
            var settings = SubscriptionSettings.From("t", "g", options, new KafkaOptions(), services: null);
            var subscription = new Subscription(group, settings, new NoPipeline(settings, group.Metrics, diagnostics), time);
            (Client, Fake) = FakeConsumer.Create();
            Assignment = new Assignment(new FlowControl(1_000, 1_000_000, 1_000), seen.Logger, error => seen.Errors.Add(error.Code)) { Client = Client };
            Starts = new StartPositions(Assignment, group, time, seen.Logger, new PositionCheck(Assignment, comparesEpochs: true, time, seen.Logger),
                static (_, _, _) => { }, error => seen.Errors.Add(error.Code)) { IsIncremental = true };
            Offsets = new OffsetStore(Assignment, seen.Logger, error => seen.Errors.Add(error.Code));
            Partition = Assignment.Add(new TopicPartition("t", 0), subscription);
            (Group, Metrics) = (group, group.Metrics);
        }

        public ConsumerGroup Group { get; }

        public IConsumer<byte[]?, byte[]?> Client { get; }

        public FakeConsumer Fake { get; }

        public Assignment Assignment { get; }

        public StartPositions Starts { get; }

        public OffsetStore Offsets { get; }

        public AssignedPartition Partition { get; }

        public AssignedPartition Current => Assignment.Partitions.Single();

        public ConsumingMetrics Metrics { get; }
    }

    private sealed class NoPipeline(SubscriptionSettings settings, ConsumingMetrics metrics, KafkaDiagnostics diagnostics)
        : HandlerPipeline(settings, metrics, diagnostics)
    {
        protected override ValueTask<Outcome> HandleAsync(KeyQueue queue) => throw new NotSupportedException();
    }
}
