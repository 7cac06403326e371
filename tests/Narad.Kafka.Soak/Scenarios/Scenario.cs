namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Something that goes wrong, and what is said to come of it.</summary>
internal sealed record Scenario(string Name, string Outcome, Func<Bed, Task> RunAsync)
{
    /// <summary>Partitions of each of the run's topics.</summary>
    public int Partitions { get; init; } = 6;

    public int Keys { get; init; } = 200;
}
