using Narad.Kafka.Diagnostics;

namespace Narad.Kafka;

/// <summary>The configuration is wrong. The message lists every error: setting, value (never a secret), and what to write instead.</summary>
public sealed class KafkaConfigurationException : NaradKafkaException
{
    /// <summary>Creates the exception from all errors found.</summary>
    public KafkaConfigurationException(IReadOnlyList<string> errors)
        : base(Compose(errors), keepsLines: true)
    {
        Errors = errors;
    }

    /// <summary>One sentence an error.</summary>
    public IReadOnlyList<string> Errors { get; }

    private static string Compose(IReadOnlyList<string> errors)
    {
        ArgumentNullException.ThrowIfNull(errors);
        return errors.Count == 1
            ? $"The Kafka configuration has an error: {ForeignText.Message(errors[0])}"
            : $"The Kafka configuration has {errors.Count} "
                + $"errors:{string.Concat(errors.Select(error => $"{Environment.NewLine}- {ForeignText.Message(error)}"))}";
    }
}
