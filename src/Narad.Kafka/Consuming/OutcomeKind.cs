namespace Narad.Kafka.Consuming;

/// <summary>What became of the first message that an invocation did not finish.</summary>
internal enum OutcomeKind
{
    /// <summary>There is none: all were finished.</summary>
    None,

    /// <summary>It is retried in memory, after a delay; its key queue waits.</summary>
    Retry,

    /// <summary>It failed and no policy covers it: its partition stops.</summary>
    Stop,

    /// <summary>It is not at its turn any more: it leaves memory unfinished and is read again when it is.</summary>
    PutBack,

    /// <summary>Its token was cancelled (revoked, lost, shut down): it stays unfinished and is delivered again elsewhere.</summary>
    Abandoned,
}
