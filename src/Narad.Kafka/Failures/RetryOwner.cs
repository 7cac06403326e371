namespace Narad.Kafka.Failures;

/// <summary>Whose a message of a retry topic is.</summary>
internal enum RetryOwner
{
    /// <summary>This group's.</summary>
    Us,

    /// <summary>Another group's.</summary>
    Others,

    /// <summary>It names no group.</summary>
    Nobody,
}
