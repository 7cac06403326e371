namespace Narad.Kafka.Failures;

/// <summary>How much a copy's headers say of the error: less where the copy would be too large.</summary>
internal enum FailureDetail
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The exception's type.</summary>
    Type,

    /// <summary>And its message.</summary>
    Message,

    /// <summary>And its stack trace.</summary>
    Stack,
}
