namespace Narad.Kafka.Mongo.Tests;

/// <summary>An outbox store that fails when it is told to. Thread-safe.</summary>
internal sealed class FaultyOutboxStore(IOutboxStore inner) : IOutboxStore
{
    /// <summary>Called with the name of each call before it is made; may throw.</summary>
    public Action<string> Before { get; set; } = static _ => { };

    /// <summary>Called with the name of each call after it was made; may throw, as where the answer is lost.</summary>
    public Action<string> After { get; set; } = static _ => { };

    /// <summary>Whether new messages are reported.</summary>
    public bool Watches { get; set; } = true;

    public static StoreUnavailableException Down => new("the store is down");

    public Task<OutboxGuarantee> StartAsync(TimeSpan retention, CancellationToken cancellationToken) =>
        CallAsync(nameof(StartAsync), () => inner.StartAsync(retention, cancellationToken));

    public Task EnqueueAsync(IReadOnlyList<OutboxMessage> messages, object? session, CancellationToken cancellationToken) =>
        inner.EnqueueAsync(messages, session, cancellationToken);

    public Task<OutboxMembership> HeartbeatAsync(string relay, TimeSpan duration, CancellationToken cancellationToken) =>
        CallAsync(nameof(HeartbeatAsync), () => inner.HeartbeatAsync(relay, duration, cancellationToken));

    public Task<OutboxLease?> TryAcquireAsync(string relay, int bucket, TimeSpan duration, CancellationToken cancellationToken) =>
        CallAsync(nameof(TryAcquireAsync), () => inner.TryAcquireAsync(relay, bucket, duration, cancellationToken));

    public Task ReleaseAsync(OutboxLease lease, CancellationToken cancellationToken) =>
        CallAsync(nameof(ReleaseAsync), () => Done(inner.ReleaseAsync(lease, cancellationToken)));

    public Task LeaveAsync(string relay, CancellationToken cancellationToken) =>
        CallAsync(nameof(LeaveAsync), () => Done(inner.LeaveAsync(relay, cancellationToken)));

    public Task<IReadOnlyCollection<int>> FindPendingBucketsAsync(IReadOnlyCollection<int> buckets, CancellationToken cancellationToken) =>
        CallAsync(nameof(FindPendingBucketsAsync), () => inner.FindPendingBucketsAsync(buckets, cancellationToken));

    public Task<IReadOnlyList<OutboxRow>> ReadPendingAsync(
        OutboxLease lease, IReadOnlyCollection<long> exceptKeys, int limit, CancellationToken cancellationToken) =>
        CallAsync(nameof(ReadPendingAsync), () => inner.ReadPendingAsync(lease, exceptKeys, limit, cancellationToken));

    public Task<int> MarkDispatchedAsync(OutboxLease lease, IReadOnlyList<OutboxRow> rows, CancellationToken cancellationToken) =>
        CallAsync(nameof(MarkDispatchedAsync), () => inner.MarkDispatchedAsync(lease, rows, cancellationToken));

    public Task<bool> RecordRefusalAsync(OutboxLease lease, OutboxRow row, string reason, CancellationToken cancellationToken) =>
        CallAsync(nameof(RecordRefusalAsync), () => inner.RecordRefusalAsync(lease, row, reason, cancellationToken));

    public Task<bool> SetAsideAsync(OutboxLease lease, OutboxRow row, string reason, bool holdsKey, CancellationToken cancellationToken) =>
        CallAsync(nameof(SetAsideAsync), () => inner.SetAsideAsync(lease, row, reason, holdsKey, cancellationToken));

    public Task<OutboxStatistics> GetStatisticsAsync(CancellationToken cancellationToken) =>
        CallAsync(nameof(GetStatisticsAsync), () => inner.GetStatisticsAsync(cancellationToken));

    public Task<IReadOnlyList<SetAsideMessage>> ListSetAsideAsync(string? topic, int limit, CancellationToken cancellationToken) =>
        inner.ListSetAsideAsync(topic, limit, cancellationToken);

    public Task<int> RetryAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) => inner.RetryAsync(ids, cancellationToken);

    public Task<int> DiscardAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) => inner.DiscardAsync(ids, cancellationToken);

    public async Task WatchAsync(Action<int?> signal, CancellationToken cancellationToken)
    {
        if (Watches)
        {
            await inner.WatchAsync(signal, cancellationToken);
        }
        else
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<bool> Done(Task call)
    {
        await call;
        return true;
    }

    private async Task<T> CallAsync<T>(string name, Func<Task<T>> call)
    {
        await Task.Yield();
        Before(name);
        var result = await call();
        After(name);
        return result;
    }
}
