using System.Collections.Concurrent;
using Narad.Kafka.Consuming;
using Narad.Kafka.Inbox;

namespace Narad.Kafka.MessageStore;

/// <summary>
/// Stores batches. A batch in which some messages fail fails at the first of those only; what the store has acknowledged of the others is not written again
/// when they come back. Thread-safe.
/// </summary>
internal sealed class MessageStoreHandler<T>(IMessageStore store, MessageStoreTarget target, MessageStoreOptions<T> options, MessageIdentity identity,
    ConsumingMetrics metrics)
{
    // By partition, after a failure: the messages behind it that were acknowledged. Never more than a batch. With the timestamp: offsets begin again when a
    // topic is created again.
    private readonly ConcurrentDictionary<TopicPartitionId, HashSet<(long Offset, DateTimeOffset Timestamp)>> _acknowledged = new();

    public Task StartAsync(CancellationToken cancellationToken) => store.StartAsync(target, cancellationToken);

    public async Task HandleAsync(MessageBatch<T> batch, CancellationToken cancellationToken)
    {
        var partition = new TopicPartitionId(batch.Topic, batch.Partition);
        _acknowledged.TryRemove(partition, out var known);
        var messages = new List<StoredMessage>(batch.Items.Count);
        var positions = new List<int>(batch.Items.Count);
        Exception? error = null;
        var failed = batch.Items.Count;
        for (var i = 0; i < batch.Items.Count; i++)
        {
            var (message, context) = batch.Items[i];
            if (known?.Contains((context.Offset, context.Timestamp)) is true)
            {
                continue;
            }

            try
            {
                messages.Add(await ConvertAsync(message, context, cancellationToken).ConfigureAwait(false));
                positions.Add(i);
            }
            catch (Exception thrown) when (thrown is not (PostponedException or OperationCanceledException))
            {
                // What is before it is stored; what is behind it waits.
                (error, failed) = (thrown, i);
                break;
            }
        }

        if (messages.Count > 0)
        {
            var results = await store.WriteAsync(target, messages, cancellationToken).ConfigureAwait(false);
            metrics.StoredMessages(results.Count(static refused => refused is null));
            for (var i = results.Count - 1; i >= 0; i--)
            {
                if (results[i] is { } refused)
                {
                    (error, failed) = (refused, positions[i]);
                }
            }

            if (error is not null)
            {
                Remember(partition, batch, known, positions, results, failed);
            }
        }

        if (error is not null)
        {
            throw new BatchFailedException(failed, error);
        }
    }

    private void Remember(TopicPartitionId partition, MessageBatch<T> batch, HashSet<(long Offset, DateTimeOffset Timestamp)>? known, List<int> positions,
        IReadOnlyList<Exception?> results, int failed)
    {
        var failedAt = batch.Items[failed].Context.Offset;
        var acknowledged = new HashSet<(long Offset, DateTimeOffset Timestamp)>(known?.Where(one => one.Offset > failedAt) ?? []);
        for (var i = 0; i < results.Count; i++)
        {
            if (positions[i] > failed && results[i] is null)
            {
                var context = batch.Items[positions[i]].Context;
                acknowledged.Add((context.Offset, context.Timestamp));
            }
        }

        if (acknowledged.Count > 0)
        {
            _acknowledged[partition] = acknowledged;
        }
    }

    private async ValueTask<StoredMessage> ConvertAsync(T message, MessageContext context, CancellationToken cancellationToken)
    {
        var id = await identity.OfAsync(message, context, cancellationToken).ConfigureAwait(false);
        var version = options.VersionSelector is { } select ? select(message, context) : context.OriginalTimestamp.ToUnixTimeMilliseconds();
        return new StoredMessage(id, options.DocumentSelector?.Invoke(message, context), message, context, version);
    }
}
