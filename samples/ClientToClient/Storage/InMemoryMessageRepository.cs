using System.Collections.Concurrent;

namespace ClientToClient.Storage;

/// <summary>The entries of one process, lost at its exit. Thread-safe.</summary>
internal sealed class InMemoryMessageRepository : IMessageRepository
{
    private readonly ConcurrentDictionary<string, SavedMessage> _entries = new(StringComparer.Ordinal);

    /// <summary>What it holds, in no order.</summary>
    public ICollection<SavedMessage> Entries => _entries.Values;

    public string Name => "memory";

    public Task SaveAsync(SavedMessage entry, CancellationToken cancellationToken = default)
    {
        _entries.TryAdd(entry.Id, entry);
        return Task.CompletedTask;
    }

    public Task<IReadOnlySet<string>> FindSavedAsync(
        IReadOnlyCollection<string> messageIds, string savedBy, CancellationToken cancellationToken = default) =>
        Task.FromResult<IReadOnlySet<string>>(
            _entries.Values.Where(entry => entry.SavedBy == savedBy).Select(entry => entry.MessageId).Intersect(messageIds).ToHashSet(StringComparer.Ordinal));
}
