namespace Narad.Kafka.Outbox;

/// <inheritdoc cref="IOutboxSetAside"/>
internal sealed class OutboxSetAside(Lazy<OutboxComposer> composer, IOutboxStore store) : IOutboxSetAside
{
    private const int MostAtOnce = 10_000;

    public Task<IReadOnlyList<SetAsideMessage>> ListAsync(string? topic = null, int limit = 100, CancellationToken cancellationToken = default)
    {
        if (limit is < 1 or > MostAtOnce)
        {
            throw new ArgumentOutOfRangeException(nameof(limit), limit, $"List 1 to {MostAtOnce} messages at once.");
        }

        return store.ListSetAsideAsync(topic is null ? null : composer.Value.RealTopic(topic), limit, cancellationToken);
    }

    public Task<int> RetryAsync(IEnumerable<string> ids, CancellationToken cancellationToken = default) =>
        InPartsAsync(ids, store.RetryAsync, cancellationToken);

    public Task<int> DiscardAsync(IEnumerable<string> ids, CancellationToken cancellationToken = default) =>
        InPartsAsync(ids, store.DiscardAsync, cancellationToken);

    private static async Task<int> InPartsAsync(
        IEnumerable<string> ids, Func<IReadOnlyCollection<string>, CancellationToken, Task<int>> change, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var changed = 0;
        foreach (var part in ids.Distinct(StringComparer.Ordinal).Chunk(MostAtOnce))
        {
            changed += await change(part, cancellationToken).ConfigureAwait(false);
        }

        return changed;
    }
}
