namespace Narad.Kafka.Configuration;

/// <summary>What was found in a configuration: one sentence each, without any secret.</summary>
/// <param name="Faults">What start is refused for.</param>
/// <param name="Warnings">What is logged at every start.</param>
internal sealed record ConfigurationReport(IReadOnlyList<string> Faults, IReadOnlyList<string> Warnings)
{
    /// <summary>Refuses to start with faults.</summary>
    /// <exception cref="KafkaConfigurationException">There are faults; it lists all of them.</exception>
    public void ThrowIfFaulty()
    {
        if (Faults.Count > 0)
        {
            throw new KafkaConfigurationException(Faults);
        }
    }
}
