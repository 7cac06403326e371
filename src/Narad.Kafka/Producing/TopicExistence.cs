namespace Narad.Kafka.Producing;

/// <summary>Whether a topic that the library is to create is there.</summary>
internal enum TopicExistence
{
    /// <summary>To be ensured with the next send.</summary>
    Unknown,

    /// <summary>Being ensured; sends wait.</summary>
    Ensuring,

    /// <summary>There, or none of the library's business.</summary>
    Assured,
}
