namespace Narad.Kafka.Soak.Scenarios;

/// <summary>The table of faults.</summary>
internal static class AllScenarios
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("kill-brokers", "three brokers are killed and started again in turn, while 8 tasks send and two members consume: nothing is lost, sends wait", BrokerFaults.KillAsync),
        new("pause-broker", "each broker hangs for 15 to 20 s, the group's coordinator while members commit and one closes: nothing is lost, closing is bounded", BrokerFaults.PauseAsync),
        new("churn-range", "members join and leave every second for a minute (classic, range): each hands over what it finished", Churn.RangeAsync),
        new("churn-cooperative", "the same (classic, cooperative-sticky)", Churn.CooperativeAsync),
        new("churn-static", "the same with static identities", Churn.StaticAsync),
        new("churn-consumer", "the same with the consumer protocol (KIP-848)", Churn.ConsumerAsync),
        new("kill-9", "a consuming process is killed, three times: what it had not committed is handled again, by another member", Churn.KillNineAsync),
        new("static-takeover", "another member takes over a static identity: the first is faulted and says so, the second goes on", Churn.TakeOverAsync),
    ];
}
