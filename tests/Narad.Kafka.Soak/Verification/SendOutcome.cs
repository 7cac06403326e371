namespace Narad.Kafka.Soak.Verification;

/// <summary>What became of one send.</summary>
internal enum SendOutcome
{
    /// <summary>Not answered yet.</summary>
    Open,

    /// <summary>The broker has it.</summary>
    Acknowledged,

    /// <summary>It failed, and was certainly not written.</summary>
    Failed,

    /// <summary>It failed, and may have been written.</summary>
    Unknown,
}
