using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.Outbox;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>A relay without a host, which sends to a <see cref="FakeTopic"/>. Disposing it stops it in order.</summary>
internal sealed class TestRelay : IAsyncDisposable
{
    private readonly OutboxMetrics _metrics = new("test");

    private TestRelay(IOutboxStore store, FakeTopic topic, OutboxOptions options, TimeProvider time) =>
        Relay = new OutboxRelay(store, options, topic.SendAsync, _metrics, time, NullLogger.Instance);

    public OutboxRelay Relay { get; }

    public static OutboxOptions CreateOptions(TimeSpan? lease = null) => new()
    {
        PollInterval = TimeSpan.FromMilliseconds(200),
        LeaseDuration = lease ?? TimeSpan.FromSeconds(20),   // a busy machine loses a short one, and what is not marked is sent again
        RetryDelay = TimeSpan.FromMilliseconds(50),
        MaxRetryDelay = TimeSpan.FromMilliseconds(200),
        MaxAttempts = 3,
        CountInterval = TimeSpan.FromSeconds(1),
    };

    public static async Task<TestRelay> StartAsync(IOutboxStore store, FakeTopic topic, OutboxOptions? options = null, TimeProvider? time = null)
    {
        var relay = new TestRelay(store, topic, options ?? CreateOptions(), time ?? TimeProvider.System);
        await relay.Relay.StartAsync(CancellationToken.None);
        return relay;
    }

    public async ValueTask DisposeAsync()
    {
        await Relay.StopAsync(TimeSpan.FromSeconds(10));
        _metrics.Dispose();
    }
}
