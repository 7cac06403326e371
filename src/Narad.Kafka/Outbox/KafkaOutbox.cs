using System.Collections;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Narad.Kafka.Serialization;

namespace Narad.Kafka.Outbox;

/// <summary>The outbox as the application sees it: composes messages, and stores those of one call together. Thread-safe.</summary>
/// <param name="composer">Made at the first use: middleware of the container may need the outbox.</param>
/// <param name="store">Where messages are kept.</param>
/// <param name="metrics">Counts.</param>
/// <param name="session">The application's transaction; null: none, or the handler's.</param>
internal sealed class KafkaOutbox(Lazy<OutboxComposer> composer, IOutboxStore store, OutboxMetrics metrics, object? session = null) : IOutbox
{
    public IOutboxSetAside SetAside { get; } = new OutboxSetAside(composer, store);

    public IOutbox WithSession(object session)
    {
        ArgumentNullException.ThrowIfNull(session);
        return new KafkaOutbox(composer, store, metrics, session);
    }

    public ValueTask<string> EnqueueAsync<T>(
        string topic, T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (message is null)
        {
            throw new ArgumentNullException(
                nameof(message), "A null message cannot be enqueued. To delete a key from a compacted topic call EnqueueTombstoneAsync(topic, key).");
        }

        return OneAsync(batch => batch.SendAsync(topic, message, key, options, cancellationToken), cancellationToken);
    }

    [OverloadResolutionPriority(2)]
    public ValueTask<string> EnqueueAsync(
        string topic, string message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        EnqueueAsync<string>(topic, message, key, options, cancellationToken);

    [OverloadResolutionPriority(2)]
    public ValueTask<string> EnqueueAsync(
        string topic, byte[] message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        EnqueueAsync<byte[]>(topic, message, key, options, cancellationToken);

    [OverloadResolutionPriority(1)]
    public ValueTask<string> EnqueueAsync<T>(
        string topic, IEnumerable<T> message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (message is null or IDictionary or JsonNode || RawSerialization.IsBytes(message)
            || (typeof(T).IsGenericType && typeof(T).GetGenericTypeDefinition() == typeof(KeyValuePair<,>)))
        {
            return EnqueueAsync<object>(topic, message!, key, options, cancellationToken);
        }

        throw new ArgumentException(
            $"EnqueueAsync stores one message, and this is a collection of {typeof(T).Name}. To send each as a message call EnqueueManyAsync; to send the "
                + $"collection as one message name its type: EnqueueAsync<{typeof(T).Name}[]>(topic, …).",
            nameof(message));
    }

    [OverloadResolutionPriority(-1)]
    public ValueTask<string> EnqueueAsync<T>(T message, MessageKey key = default, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        OneAsync(batch => batch.Routes.SendAsync(batch, message, key, options, cancellationToken), cancellationToken);

    public ValueTask<string> EnqueueTombstoneAsync(string topic, MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (key.IsNone)
        {
            throw new ArgumentException("A tombstone needs a key: without one it deletes nothing.", nameof(key));
        }

        return OneAsync(batch => batch.SendTombstoneAsync(topic, key, options, cancellationToken), cancellationToken);
    }

    public ValueTask<string> EnqueueTombstoneAsync<T>(MessageKey key, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        OneAsync(batch => batch.Routes.SendTombstoneAsync<T>(batch, key, options, cancellationToken), cancellationToken);

    public Task<IReadOnlyList<string>> EnqueueManyAsync<T>(
        string topic, IEnumerable<T> messages, Func<T, MessageKey>? key = null, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        ManyAsync(messages, (batch, message) => batch.SendAsync(topic, message, key?.Invoke(message) ?? MessageKey.None, options, cancellationToken),
            cancellationToken);

    [OverloadResolutionPriority(-1)]
    public Task<IReadOnlyList<string>> EnqueueManyAsync<T>(
        IEnumerable<T> messages, SendOptions? options = null, CancellationToken cancellationToken = default) =>
        ManyAsync(messages, (batch, message) => batch.Routes.SendAsync(batch, message, MessageKey.None, options, cancellationToken), cancellationToken);

    private async ValueTask<string> OneAsync(Func<OutboxBatch, ValueTask<SendResult>> add, CancellationToken cancellationToken)
    {
        var batch = new OutboxBatch(composer.Value);
        await add(batch).ConfigureAwait(false);
        await StoreAsync(batch, cancellationToken).ConfigureAwait(false);
        return batch.Messages is [.., var last] ? IdOf(last) : "";
    }

    private async Task<IReadOnlyList<string>> ManyAsync<T>(
        IEnumerable<T> messages, Func<OutboxBatch, T, ValueTask<SendResult>> add, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var batch = new OutboxBatch(composer.Value);
        foreach (var message in messages)
        {
            if (message is null)
            {
                throw new ArgumentException("One of the messages is null. To delete a key from a compacted topic call EnqueueTombstoneAsync(topic, key).",
                    nameof(messages));
            }

            await add(batch, message).ConfigureAwait(false);
        }

        await StoreAsync(batch, cancellationToken).ConfigureAwait(false);
        return [.. batch.Messages.Select(IdOf)];
    }

    private async ValueTask StoreAsync(OutboxBatch batch, CancellationToken cancellationToken)
    {
        if (batch.Messages.Count > 0)
        {
            await store.EnqueueAsync(batch.Messages, session, cancellationToken).ConfigureAwait(false);
            metrics.CountEnqueued(batch.Messages.Count);
        }
    }

    // The application may have set the header itself.
    private static string IdOf(OutboxMessage message) => message.Headers.GetText(OutboxComposer.IdHeader) ?? message.Id;
}
