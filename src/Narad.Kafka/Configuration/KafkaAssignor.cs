namespace Narad.Kafka;

/// <summary>The values of <c>partition.assignment.strategy</c>.</summary>
public enum KafkaAssignor
{
    /// <summary>Keeps as many partitions as it can at each rebalance and stops only those that move. The default.</summary>
    CooperativeSticky,

    /// <summary>Assigns the same partition number of every topic to the same member.</summary>
    Range,

    /// <summary>Deals partitions out one by one.</summary>
    RoundRobin,
}
