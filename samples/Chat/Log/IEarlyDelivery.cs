namespace Chat.Log;

/// <summary>A way from instance to instance that is faster than reading the log. It may lose records and change their order. Thread-safe.</summary>
internal interface IEarlyDelivery
{
    Task SubscribeAsync(Action<ChatRecord, int, long> receive, CancellationToken cancellationToken);

    /// <summary>Sends a record that Kafka acknowledged. Does not fail.</summary>
    Task PublishAsync(ChatRecord record, int partition, long offset);
}

/// <summary>None: every instance reads the log.</summary>
internal sealed class NoEarlyDelivery : IEarlyDelivery
{
    public Task SubscribeAsync(Action<ChatRecord, int, long> receive, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task PublishAsync(ChatRecord record, int partition, long offset) => Task.CompletedTask;
}
