namespace Narad.Kafka.Aws.Tests;

/// <summary>The moment of the test vectors, for ever.</summary>
internal sealed class StoppedTime : TimeProvider
{
    public static readonly DateTimeOffset Now = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => Now;
}
