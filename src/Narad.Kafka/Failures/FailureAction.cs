namespace Narad.Kafka;

/// <summary>What is to become of a message whose handling failed; see <see cref="RetryOptions"/>.</summary>
public enum FailureAction
{
    /// <summary>
    /// It is retried in memory as often as the policy allows, then through the retry topic, then it goes to the dead-letter topic, or its partition stops
    /// where there is none.
    /// </summary>
    Retry,

    /// <summary>
    /// It goes to the retry topic at once, past what is left of its retries in memory; as <see cref="Retry"/> where there is no retry topic, or no
    /// attempt left.
    /// </summary>
    RetryLater,

    /// <summary>It goes to the dead-letter topic at once; its partition stops where there is none.</summary>
    DeadLetter,

    /// <summary>It is finished unhandled. Counted and logged each time.</summary>
    Skip,

    /// <summary>Its partition stops at it, as where no policy covers a failure.</summary>
    Stop,
}
