namespace Narad.Kafka.Cli;

/// <summary>What the tool ends with.</summary>
internal static class ExitCodes
{
    public const int Success = 0;
    public const int Failure = 1;
    public const int Usage = 2;
}
