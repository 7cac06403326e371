namespace Narad.Kafka.Configuration;

/// <summary>What was found in a configuration: one sentence each, without any secret.</summary>
/// <param name="Errors">What start is refused for.</param>
/// <param name="Warnings">What is logged at every start.</param>
internal sealed record ConfigurationReport(IReadOnlyList<string> Errors, IReadOnlyList<string> Warnings)
{
    /// <summary>Refuses to start with validation errors.</summary>
    /// <exception cref="KafkaConfigurationException">There are errors; it lists all of them.</exception>
    public void ThrowIfInvalid()
    {
        if (Errors.Count > 0)
        {
            throw new KafkaConfigurationException(Errors);
        }
    }
}
