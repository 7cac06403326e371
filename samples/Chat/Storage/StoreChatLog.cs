using Chat.Log;
using Chat.Rooms;
using Narad.Kafka;

namespace Chat.Storage;

/// <summary>Stores batches of the two topics: the library's message store calls it, commits what it stored, and waits while it cannot. Thread-safe.</summary>
internal sealed class StoreChatLog(IChatStorage storage, ILogger<StoreChatLog> logger) : IMessageStore
{
    /// <summary>The name under which batches of the topic with messages come.</summary>
    public const string Messages = "messages";

    /// <summary>The name under which batches of receipts and ended sessions come.</summary>
    public const string State = "state";

    public Task StartAsync(MessageStoreTarget target, CancellationToken cancellationToken) => storage.StartAsync(logId: null, cancellationToken);

    public async Task<IReadOnlyList<Exception?>> WriteAsync(
        MessageStoreTarget target, IReadOnlyList<StoredMessage> messages, CancellationToken cancellationToken)
    {
        var last = messages[^1].Context;
        logger.LogInformation("📥 {Count} record(s) received from {Topic} partition {Partition}", messages.Count, last.Topic, last.Partition);
        var refused = messages.Select(static one => IsComplete(one.Message) ? null : (Exception)new DeadLetterException("Parts of the record are missing."))
            .ToList();
        var kept = messages.Where((_, i) => refused[i] is null).ToList();
        if (target.Collection == Messages)
        {
            var positions = await storage.PositionsAsync(target.Collection, cancellationToken);
            var start = positions.GetValueOrDefault(last.Partition)?.Base ?? 0;
            var records = kept.ConvertAll(one => (Record: (ChatRecord)one.Message!, Sequence: start + one.Context.Offset + 1));
            var texts = records.Where(static one => one.Record.Kind is RecordKind.Message)
                .Select(static one => one.Record.ToMessage(one.Sequence)).ToList();
            var changes = records.Where(static one => one.Record.Kind is not RecordKind.Message)
                .Select(static one => (one.Record.RoomId, one.Record.ToChange(one.Sequence))).ToList();
            await storage.WriteAsync(texts, changes, cancellationToken);
            logger.LogInformation("💾 {Count} message(s) saved to {Storage}", texts.Count, storage.Name);
        }
        else
        {
            await storage.WriteAsync(kept.ConvertAll(static one => (StateRecord)one.Message!), cancellationToken);
            logger.LogInformation("📝 {Count} status update(s) saved to {Storage}", kept.Count, storage.Name);
        }

        await storage.WritePositionAsync(target.Collection, last.Partition, last.Offset + 1, cancellationToken);
        return refused;
    }

    private static bool IsComplete(object? message) => message is ChatRecord { IsComplete: true } or StateRecord { IsComplete: true };
}
