using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// Remembers the results of look-ups for good. Callers that ask for the same key at the same time share one look-up. A failed look-up is forgotten at once,
/// except for an answer of the registry that there is no such thing: that one is remembered for a while. Thread-safe.
/// </summary>
/// <param name="look">The look-up.</param>
/// <param name="time">The clock.</param>
/// <param name="refusalLifetime">For how long an answer that there is no such thing is remembered.</param>
internal sealed class SharedLookups<TKey, TValue>(Func<TKey, Task<TValue>> look, TimeProvider time, TimeSpan refusalLifetime)
    where TKey : notnull
{
    // Bounds the memory that made-up keys take.
    private const int MostRefusals = 1_000;

    private readonly ConcurrentDictionary<TKey, Entry> _entries = new();
    private int _refusals;

    /// <summary>Gets a result that is known already.</summary>
    public bool TryGet(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        if (_entries.TryGetValue(key, out var entry) && entry.Look is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
        {
            value = entry.Look.Value.GetAwaiter().GetResult();
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>Adds a result that another look-up gave.</summary>
    public void Remember(TKey key, TValue value) => _entries.TryAdd(key, new Entry(new Lazy<Task<TValue>>(Task.FromResult(value))));

    /// <summary>Gets a result that is known, or looks it up. Cancelling stops the waiting, not the look-up.</summary>
    public Task<TValue> GetAsync(TKey key, CancellationToken cancellationToken = default)
    {
        if (_entries.TryGetValue(key, out var known) && known.RefusedAt is { } refusedAt && time.GetElapsedTime(refusedAt) >= refusalLifetime)
        {
            Forget(key, known);
        }

        return _entries.GetOrAdd(
            key,
            static (key, self) =>
            {
                Entry entry = null!;
                return entry = new Entry(new Lazy<Task<TValue>>(() => self.LookAsync(key, entry)));
            },
            this).Look.Value.WaitAsync(cancellationToken);
    }

    private async Task<TValue> LookAsync(TKey key, Entry entry)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            return await look(key).ConfigureAwait(false);
        }
        catch (Exception error) when (error is UnknownSchemaException or SchemaMismatchException)
        {
            entry.RefusedAt = time.GetTimestamp();
            if (Interlocked.Increment(ref _refusals) > MostRefusals)
            {
                ForgetRefusals();
            }

            throw;
        }
        catch
        {
            _entries.TryRemove(KeyValuePair.Create(key, entry));
            throw;
        }
    }

    private void Forget(TKey key, Entry entry)
    {
        if (_entries.TryRemove(KeyValuePair.Create(key, entry)))
        {
            Interlocked.Decrement(ref _refusals);
        }
    }

    private void ForgetRefusals()
    {
        foreach (var (key, entry) in _entries)
        {
            if (entry.RefusedAt is not null)
            {
                Forget(key, entry);
            }
        }
    }

    private sealed class Entry(Lazy<Task<TValue>> look)
    {
        private long _refusedAt;

        public Lazy<Task<TValue>> Look { get; } = look;

        /// <summary>When the registry answered that there is no such thing; null otherwise.</summary>
        public long? RefusedAt
        {
            get => Volatile.Read(ref _refusedAt) is var at and not 0 ? at : null;
            set => Volatile.Write(ref _refusedAt, value ?? 0);
        }
    }
}
