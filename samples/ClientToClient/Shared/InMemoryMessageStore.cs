using System.Collections.Concurrent;

namespace ClientToClient;

/// <summary>The store of one process, lost at its exit. Thread-safe.</summary>
public sealed class InMemoryMessageStore : IMessageStore
{
    // A record is equal by its fields: the keys are the unique index.
    private readonly ConcurrentDictionary<ClientMessage, bool> _entries = new();

    /// <summary>What it holds, in no order.</summary>
    public ICollection<ClientMessage> Entries => _entries.Keys;

    public Task<bool> SaveAsync(ClientMessage entry, CancellationToken cancellationToken = default) => Task.FromResult(_entries.TryAdd(entry, true));
}
