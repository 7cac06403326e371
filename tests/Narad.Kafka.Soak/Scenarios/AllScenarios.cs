using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>The table of faults.</summary>
internal static class AllScenarios
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("kill-brokers", "three brokers are killed and started again in turn, while 8 tasks send and two members consume: nothing is lost, sends wait",
            BrokerFaults.KillAsync),
        new("pause-broker",
            "each broker hangs for 15 to 20 s, the group's coordinator while members commit and one closes: nothing is lost, closing is bounded",
            BrokerFaults.PauseAsync),
        new("hanging-brokers",
            "a broker hangs five times, then all at once twice, for 6 to 16 s: the process lives, nothing is lost, the service connects again",
            BrokerFaults.HangAsync),
        new("hanging-broker-alone", "the same with the one broker of a cluster", BrokerFaults.HangAsync) { Brokers = 1 },
        new("churn-range", "members join and leave every second for a minute (classic, range): each hands over what it finished", Churn.RangeAsync),
        new("churn-cooperative", "the same (classic, cooperative-sticky)", Churn.CooperativeAsync),
        new("churn-static", "the same with static identities", Churn.StaticAsync),
        new("churn-consumer", "the same with the consumer protocol (KIP-848)", Churn.ConsumerAsync),
        Failing("churn-failing",
            "members join and leave every second while 5 % of the messages fail and 1 % is poison (classic, cooperative-sticky): each is handled or a dead "
                + "letter", Churn.CooperativeAsync),
        Failing("churn-failing-range", "the same (classic, range)", Churn.RangeAsync),
        Failing("churn-failing-consumer", "the same with the consumer protocol (KIP-848)", Churn.ConsumerAsync),
        KeyOrderScenarios.For("key-order",
            "one message in ten fails and blocks its key while members come and go, ten processes are killed and four stand still (classic, range): the order "
                + "of each key holds", KafkaGroupProtocol.Classic),
        KeyOrderScenarios.For("key-order-consumer", "the same with the consumer protocol (KIP-848)", KafkaGroupProtocol.Consumer),
        ExactlyOnce.For("exactly-once",
            "20,000 messages with an output each in transactions, twenty processes are killed, three stand still, members join and leave: exactly one output "
                + "of each, or one dead letter", isStatic: false),
        ExactlyOnce.For("exactly-once-static", "the same with static identities", isStatic: true),
        new("kill-9", "a consuming process is killed, three times: what it had not committed is handled again, by another member", Churn.KillNineAsync),
        new("static-takeover", "another member takes over a static identity: the first is faulted and says so, the second continues", Churn.TakeOverAsync),
        new("slow-handler", "handlers that take longer than max.poll.interval.ms, again and again: nobody is evicted, nothing is handled twice",
            HandlerFaults.SlowAsync),
        new("partitions-added", "the topics grow from 3 to 6 to 12 partitions under load: the new ones are read from their first message",
            TopicFaults.PartitionsAddedAsync) { Partitions = 3 },
        new("topic-recreated", "the topics are deleted and created again: the new messages are handled; a partition whose offset is gone stops and says so",
            TopicFaults.RecreatedAsync),
        new("offsets-reset", "somebody sets the group's offsets to 0: refused while it has members; without, everything is handled again",
            TopicFaults.OffsetsResetAsync),
        new("retention-overtakes", "messages are deleted before they are handled: the partitions stop and say so, and continue when told",
            TopicFaults.RetentionOvertakesAsync),
        new("shutdown-in-flight", "100,000 messages in flight when the service is disconnected, sending and handling: all accounted for",
            HandlerFaults.ShutdownInFlightAsync) { Keys = 1_000 },
        new("stuck-key", "one key of 10,000 is stuck: all others are handled, nothing is committed past it", HandlerFaults.StuckKeyAsync)
        {
            Keys = 10_000, Partitions = 1,
        },
        .. Operators.All,
        new("all-failing", "every message fails and is repeated in memory: memory stays bounded, nothing is lost", HandlerFaults.AllFailingAsync),
    ];

    private static Scenario Failing(string name, string outcome, Func<TestRun, Task> run) =>
        new(name, outcome, run) { Work = static _ => new FailingWork(), FinishAsync = FailingHandlers.FinishAsync };
}
