using Narad.Kafka.Diagnostics;

namespace Narad.Kafka;

/// <summary>The configuration is wrong. The message lists every fault: setting, value (never a secret), and what to write instead.</summary>
public sealed class KafkaConfigurationException : NaradKafkaException
{
    /// <summary>Creates the exception from all faults found.</summary>
    public KafkaConfigurationException(IReadOnlyList<string> errors)
        : base(Compose(errors), keepsLines: true)
    {
        Errors = errors;
    }

    /// <summary>One sentence a fault.</summary>
    public IReadOnlyList<string> Errors { get; }

    private static string Compose(IReadOnlyList<string> faults)
    {
        ArgumentNullException.ThrowIfNull(faults);
        return faults.Count == 1
            ? $"The Kafka configuration has a fault: {ForeignText.Message(faults[0])}"
            : $"The Kafka configuration has {faults.Count} faults:{string.Concat(faults.Select(fault => $"{Environment.NewLine}- {ForeignText.Message(fault)}"))}";
    }
}
