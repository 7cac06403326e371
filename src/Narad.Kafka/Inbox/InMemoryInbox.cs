using System.Collections.Concurrent;

namespace Narad.Kafka;

/// <summary>
/// An inbox in this process's memory, for tests and development: it forgets everything at exit and knows nothing of other processes. It behaves as a store
/// without transactions does
/// (<see cref="InboxGuarantee.AtLeastOnce"/>). Thread-safe.
/// </summary>
public sealed class InMemoryInbox : IInbox
{
    private static readonly TimeSpan BusyRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<(string Group, string Topic, string Id), Note> _notes = new();
    private readonly TimeProvider _time;
    private long _sweptAt;

    /// <summary>Creates an empty inbox.</summary>
    /// <param name="time">The clock that notes expire by; default: the system's.</param>
    public InMemoryInbox(TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        _sweptAt = _time.GetTimestamp();
    }

    /// <summary>How many messages are noted as handled, expired ones included until they are swept.</summary>
    public int Count => _notes.Values.Count(static note => note.Expires is not null);

    /// <inheritdoc/>
    public Task<InboxGuarantee> StartAsync(InboxSubscription subscription, CancellationToken cancellationToken) => Task.FromResult(InboxGuarantee.AtLeastOnce);

    /// <inheritdoc/>
    public async Task<InboxResult> HandleAsync(InboxMessage message, Func<object?, CancellationToken, Task> handler, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(handler);
        cancellationToken.ThrowIfCancellationRequested();
        Sweep();
        var key = (message.Group, message.Topic, message.Id);
        var claim = new Note(message.Coordinates, Expires: null);
        var found = _notes.GetOrAdd(key, claim);
        if (!ReferenceEquals(found, claim))
        {
            if (found.Expires is null)
            {
                return InboxResult.Busy(BusyRetry);
            }

            if (found.Expires > _time.GetUtcNow())
            {
                return InboxResult.AlreadyHandled(found.Coordinates);
            }

            if (!_notes.TryUpdate(key, claim, found))
            {
                return InboxResult.Busy(BusyRetry);
            }
        }

        try
        {
            await handler(null, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _notes.TryRemove(new(key, claim));
            throw;
        }

        _notes[key] = claim with { Expires = _time.GetUtcNow() + message.Retention };
        return InboxResult.Handled;
    }

    private void Sweep()
    {
        var last = Interlocked.Read(ref _sweptAt);
        if (_time.GetElapsedTime(last) < SweepInterval || Interlocked.CompareExchange(ref _sweptAt, _time.GetTimestamp(), last) != last)
        {
            return;
        }

        var now = _time.GetUtcNow();
        foreach (var entry in _notes)
        {
            if (entry.Value.Expires <= now)
            {
                _notes.TryRemove(entry);
            }
        }
    }

    // By identity: two claims of one message are two. Null expiry: the handler runs.
    private sealed record Note(TopicPartitionOffsetId Coordinates, DateTimeOffset? Expires)
    {
        public bool Equals(Note? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
    }
}
