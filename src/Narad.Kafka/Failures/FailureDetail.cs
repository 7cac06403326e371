namespace Narad.Kafka.Failures;

/// <summary>How much a copy's headers say: less where the copy would be too large.</summary>
internal enum FailureDetail
{
    /// <summary>Nothing, and nothing else of ours either.</summary>
    None,

    /// <summary>Nothing; where the message came from.</summary>
    Origin,

    /// <summary>And the exception's type.</summary>
    Type,

    /// <summary>And its message.</summary>
    Message,

    /// <summary>And its stack trace.</summary>
    Stack,
}
