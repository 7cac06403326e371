using Narad.Kafka.Soak.Verification;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Something that goes wrong, and what is said to come of it.</summary>
internal sealed record Scenario(string Name, string Outcome, Func<TestRun, Task> RunAsync)
{
    /// <summary>The number of brokers that it needs; at least three, but for 1, which means exactly one.</summary>
    public int Brokers { get; init; } = 3;

    /// <summary>Partitions of each of the run's topics.</summary>
    public int Partitions { get; init; } = 6;

    public int Keys { get; init; } = 200;

    public int Topics { get; init; } = 2;

    /// <summary>Settings of every service of the run, besides those of its members.</summary>
    public Action<KafkaOptions>? Configure { get; init; }

    /// <summary>Topics, by the end of their names, that an unclean leader election can truncate.</summary>
    public string? Unclean { get; init; }

    /// <summary>Messages a second, where the command line does not say.</summary>
    public int Rate { get; init; } = 500;

    /// <summary>What its handlers do, by the run's seed, where messages fail and are retried and dead-lettered; null: none does.</summary>
    public Func<int, Work>? Work { get; init; }

    /// <summary>Ends the load, lets the members finish and leave, and adds up.</summary>
    public Func<TestRun, Task<IVerdict>> FinishAsync { get; init; } = static async run => await run.FinishAsync();
}
