using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// What was looked up, for good; callers that ask for the same at the same time share one look-up, and one that failed is forgotten. Thread-safe.
/// </summary>
internal sealed class SharedLookups<TKey, TValue>(Func<TKey, Task<TValue>> look)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Lazy<Task<TValue>>> _found = new();

    /// <summary>What is known already.</summary>
    public bool TryGet(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        if (_found.TryGetValue(key, out var found) && found is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
        {
            value = found.Value.GetAwaiter().GetResult();
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>What is known, or what the look-up says. Cancelling stops the waiting, not the look-up.</summary>
    public Task<TValue> GetAsync(TKey key, CancellationToken cancellationToken) =>
        _found.GetOrAdd(key, static (key, self) => new Lazy<Task<TValue>>(() => self.LookAsync(key)), this).Value.WaitAsync(cancellationToken);

    private async Task<TValue> LookAsync(TKey key)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            return await look(key).ConfigureAwait(false);
        }
        catch
        {
            _found.TryRemove(key, out _);
            throw;
        }
    }
}
