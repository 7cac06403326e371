using Narad.Kafka.Soak.Books;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Something that goes wrong, and what is said to come of it.</summary>
internal sealed record Scenario(string Name, string Outcome, Func<Bed, Task> RunAsync)
{
    /// <summary>Partitions of each of the run's topics.</summary>
    public int Partitions { get; init; } = 6;

    public int Keys { get; init; } = 200;

    /// <summary>Whether its messages fail in their handlers, and are retried and dead-lettered.</summary>
    public bool Fails { get; init; }

    /// <summary>Ends the load, lets the members finish and leave, and adds up.</summary>
    public Func<Bed, Task<IVerdict>> FinishAsync { get; init; } = static async bed => await bed.FinishAsync();
}
