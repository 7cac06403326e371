using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>How a step of <see cref="KafkaDoctor"/> ended.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DoctorOutcome>))]
public enum DoctorOutcome
{
    /// <summary>All is well.</summary>
    Passed,

    /// <summary>It works, and something should be looked at.</summary>
    Warning,

    /// <summary>It does not work; the steps after it were not made.</summary>
    Failed,

    /// <summary>There was nothing to do, such as TLS with settings that ask for none.</summary>
    Skipped,
}
