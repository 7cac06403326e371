using Narad.Kafka;

namespace MessageStore.Storage;

/// <summary>The messages of this process, lost at its exit. The API's view, and the consumer's. Thread-safe.</summary>
internal sealed class InMemoryMessages : IMessages, IMessageStore
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, StoredText> _messages = new(StringComparer.Ordinal);

    // Ids of _messages, so that looking for work costs nothing while there is none.
    private readonly SortedSet<string> _notProduced = new(StringComparer.Ordinal);

    public string Name => "memory";

    public Task InsertAsync(Message message, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _messages.Add(message.Id, new StoredText { Id = message.Id, Text = message.Text, CreatedAt = message.CreatedAt });
            _notProduced.Add(message.Id);
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<StoredText>> ListAsync(string? before, int limit, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyList<StoredText>>(
                [.. _messages.Values.Reverse().Where(message => before is null || string.CompareOrdinal(message.Id, before) < 0).Take(limit)]);
        }
    }

    public Task<IReadOnlyList<Message>> NotProducedAsync(int limit, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyList<Message>>([.. _notProduced.Take(limit).Select(id => _messages[id])]);
        }
    }

    public Task MarkProducedAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (var id in ids)
            {
                _messages[id] = _messages[id] with { Produced = true };
                _notProduced.Remove(id);
            }
        }

        return Task.CompletedTask;
    }

    Task IMessageStore.StartAsync(MessageStoreTarget target, CancellationToken cancellationToken) => Task.CompletedTask;

    Task<IReadOnlyList<Exception?>> IMessageStore.WriteAsync(
        MessageStoreTarget target, IReadOnlyList<StoredMessage> messages, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (var message in messages.Select(static stored => (Message)stored.Message!))
            {
                _messages.TryAdd(message.Id, new StoredText { Id = message.Id, Text = message.Text, CreatedAt = message.CreatedAt, Produced = true });
            }
        }

        return Task.FromResult<IReadOnlyList<Exception?>>(new Exception?[messages.Count]);
    }
}
