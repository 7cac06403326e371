namespace Narad.Kafka.Soak.Verification;

/// <summary>Kinds of <see cref="Fate"/>.</summary>
internal enum FateKind
{
    /// <summary>Handled the first time.</summary>
    Succeeds,

    /// <summary>Fails, and is handled at a later attempt through the retry topic.</summary>
    Recovers,

    /// <summary>Its handler throws <see cref="RetryLaterException"/>, and handles it then.</summary>
    Later,

    /// <summary>Fails always: a dead letter in the end.</summary>
    Fails,

    /// <summary>Cannot be deserialized: a dead letter at once.</summary>
    Poison,
}
