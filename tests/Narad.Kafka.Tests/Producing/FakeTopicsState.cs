namespace Narad.Kafka.Tests.Producing;

/// <summary>The creation of topics, as the test answers it.</summary>
internal sealed class FakeTopicsState
{
    public TaskCompletionSource Next { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Calls { get; set; }
}
