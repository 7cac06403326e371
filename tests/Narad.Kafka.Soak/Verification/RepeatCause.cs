namespace Narad.Kafka.Soak.Verification;

/// <summary>Why something was done again that had been done.</summary>
internal enum RepeatCause
{
    /// <summary>It was finished while something was broken, or shortly before: it could not be committed.</summary>
    Fault,

    /// <summary>Finished while a message below it in its partition was not, at an orderly hand-over: not committable.</summary>
    Ahead,

    /// <summary>The same in the retry topic, behind one that waited and was not moved out of the way.</summary>
    AheadOfRetry,

    /// <summary>A hand-over came between a failure and its retry in memory: the attempt begins again.</summary>
    BegunAgain,

    /// <summary>None of these.</summary>
    Unexplained,
}
