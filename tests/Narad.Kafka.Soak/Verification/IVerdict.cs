namespace Narad.Kafka.Soak.Verification;

/// <summary>What came of a run.</summary>
internal interface IVerdict
{
    /// <summary>Whether what must be 0 is.</summary>
    bool IsClean { get; }

    /// <summary>What is not as it should be, a few of each.</summary>
    IReadOnlyList<string> Examples { get; }

    /// <summary>The columns of the table of runs.</summary>
    string Columns { get; }

    /// <summary>This run's figures in these columns.</summary>
    string Row { get; }
}
