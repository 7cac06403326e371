using Confluent.Kafka;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.KeyOrder;
using Narad.Kafka.Tests.Consuming;
using Narad.Kafka.Tests.Producing;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.KeyOrder;

/// <summary>A group finds the seal of its own records again: no commit erases it, and a slow broker does not make it unknown.</summary>
public sealed class SealLookUpTests
{
    private const int Unknown = 3203;
    private static readonly TopicPartition Source = new("t", 0);

    private readonly ManualTime _time = new();
    private readonly LogEvents _logs = new();
    private readonly List<Error> _errors = [];

    [Fact]
    [Trait("Promise", "S26")]
    public async Task Nothing_of_a_retry_partition_is_read_until_a_failed_look_up_was_repeated()
    {
        var (assignment, fake) = NewAssignment();
        var retries = assignment.Add(new TopicPartition("t-retry", 0), Subscription(ofRetries: true));
        var seal = RetrySeal.New();
        var asked = 0;
        var look = new SealLookUp(
            assignment,
            "g",
            (_, sources) =>
            {
                sources.Should().Equal(Source);
                return Interlocked.Increment(ref asked) < 3
                    ? throw new KafkaException(ErrorCode.Local_TimedOut)
                    : new Dictionary<TopicPartition, CommittedOffset> { [Source] = new(10, seal.MetadataFor(10)) };
            },
            _time,
            _logs.CreateLogger("test"));
        fake.Answer(nameof(assignment.Client.Committed), static _ => new List<TopicPartitionOffset> { new("t-retry", 0, 0) });
        var check = new PositionCheck(assignment, comparesEpochs: false, _time, _logs.CreateLogger("test"));
        check.Begin(retries);
        look.Begin(retries);
        for (var failed = 1; failed < 3; failed++)
        {
            await Waiting.Until(
                () =>
                {
                    look.Turn();
                    check.Turn();
                    return Volatile.Read(ref asked) == failed && look.Asking.IsCompleted && check.Asking.IsCompleted;
                },
                "the broker is asked");
            look.Turn();
            check.Turn();
            (retries.AwaitsSeal, retries.IsUnchecked, asked).Should().Be((true, true, failed), "it is not read, and the broker has a second");
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        await Waiting.Until(
            () =>
            {
                look.Turn();
                check.Turn();
                return !retries.IsUnchecked;
            },
            "it is read");

        retries.AwaitsSeal.Should().BeFalse();
        retries.BlockedKeys!.Seal.IsReady.Should().BeTrue();
        retries.BlockedKeys.Seal.Seal.MetadataFor(10).Should().Be(seal.MetadataFor(10), "the group's own records are believed");
        _logs.Count(Unknown).Should().Be(1);
    }

    [Fact]
    [Trait("Promise", "S26")]
    public void A_source_partition_at_its_end_commits_nothing_before_its_retry_partition_is_there()
    {
        var (assignment, fake) = NewAssignment();
        var source = assignment.Add(Source, Subscription(ofRetries: false));
        var offsets = new OffsetStore(assignment, _logs.CreateLogger("test"), _errors.Add);
        source.Tracker.Reach(10);
        source.Tracker.Committable.Should().Be(10);

        offsets.Store(source);
        fake.ToldTo(nameof(assignment.Client.StoreOffset)).Should().BeEmpty("that would erase the seal, which is in the metadata of the committed offset");

        source.StartAt = 10;
        offsets.Store(source);
        fake.ToldTo(nameof(assignment.Client.StoreOffset)).Should().ContainSingle("a start that the group had not committed is kept")
            .Which!.Offset.Value.Should().Be(10);
        _errors.Should().BeEmpty();
    }

    private (Assignment Assignment, FakeConsumer Fake) NewAssignment()
    {
        var (client, fake) = FakeConsumer.Create();
        return (new Assignment(new FlowControl(1_000, 1_000_000, 1_000), _logs.CreateLogger("test"), _errors.Add) { Client = client }, fake);
    }

    private Subscription Subscription(bool ofRetries)
    {
        var diagnostics = new KafkaDiagnostics(_logs, _time);
        var group = new ConsumerGroup("g", new FakeTransport(), new KafkaOptions(), diagnostics, static (_, _) => { });
        var options = new SubscriptionOptions();
        options.Order = MessageOrder.ByKey;
        options.Retry.Topic.MaxAttempts = 3;
        options.Retry.PreserveKeyOrder = true;
        var settings = SubscriptionSettings.From("t", "g", options, new KafkaOptions(), services: null);
        if (ofRetries)
        {
            settings = settings with { Topic = "t-retry", Retries = new RetrySource("t", "g", TimeSpan.Zero, TimeSpan.Zero, adoptsUngrouped: false) };
        }

        return new Subscription(group, settings, new NoPipeline(settings, group.Metrics, diagnostics), _time);
    }

    private sealed class NoPipeline(SubscriptionSettings settings, ConsumingMetrics metrics, KafkaDiagnostics diagnostics)
        : HandlerPipeline(settings, metrics, diagnostics)
    {
        protected override ValueTask<Outcome> HandleAsync(KeyQueue queue) => throw new NotSupportedException();
    }
}
