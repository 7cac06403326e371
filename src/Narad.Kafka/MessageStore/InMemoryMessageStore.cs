namespace Narad.Kafka;

/// <summary>A message store in this process's memory, for tests and development. Thread-safe.</summary>
public sealed class InMemoryMessageStore : IMessageStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Dictionary<string, (StoredMessage Message, DateTimeOffset StoredAt)>> _collections = new(StringComparer.Ordinal);
    private readonly TimeProvider _time;

    /// <summary>Creates an empty store.</summary>
    /// <param name="time">The clock that messages expire by; default: the system's.</param>
    public InMemoryMessageStore(TimeProvider? time = null) => _time = time ?? TimeProvider.System;

    /// <summary>The messages of a collection that have not expired, in the order in which they were stored.</summary>
    public IReadOnlyList<StoredMessage> MessagesOf(string collection)
    {
        lock (_lock)
        {
            return _collections.TryGetValue(collection, out var messages) ? [.. messages.Values.Select(static one => one.Message)] : [];
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(MessageStoreTarget target, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task<IReadOnlyList<Exception?>> WriteAsync(MessageStoreTarget target, IReadOnlyList<StoredMessage> messages, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(messages);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (!_collections.TryGetValue(target.Collection, out var stored))
            {
                _collections[target.Collection] = stored = new(StringComparer.Ordinal);
            }

            var now = _time.GetUtcNow();
            foreach (var (id, _) in target.Retention is { } kept ? stored.Where(one => one.Value.StoredAt + kept <= now).ToList() : [])
            {
                stored.Remove(id);
            }

            foreach (var message in messages)
            {
                if (!stored.TryGetValue(message.Id, out var known) || target.WriteMode is MessageWriteMode.Replace
                    || (target.WriteMode is MessageWriteMode.ReplaceIfNewer && message.Version > known.Message.Version))
                {
                    stored[message.Id] = (message, now);
                }
            }
        }

        return Task.FromResult<IReadOnlyList<Exception?>>(new Exception?[messages.Count]);
    }
}
