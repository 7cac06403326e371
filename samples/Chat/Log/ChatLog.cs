using Chat.Contract;
using Chat.Rooms;
using Narad.Kafka;

namespace Chat.Log;

/// <summary>Writes to the log. Thread-safe.</summary>
internal sealed class ChatLog(
    IKafkaProducer kafka, LogReader reader, IEarlyDelivery early, ChatOptions options, TimeProvider time, ILogger<ChatLog> logger)
{
    // A change of membership is finished when this instance has read it.
    private static readonly TimeSpan MostWait = TimeSpan.FromSeconds(10);

    /// <summary>Sends a message; once for each id, as far as is known here. Readers leave out the rest.</summary>
    public async Task<SendReceipt> SendAsync(Room room, string userId, string messageId, string text)
    {
        var sequence = room.Find(messageId, userId) ?? await WriteAsync(RecordKind.Message, room, userId, messageId, text);
        return new SendReceipt(messageId, MessageStatus.Sent, sequence);
    }

    /// <summary>Changes a user's membership. Completes when no connection of this instance gets more than it should.</summary>
    public async Task ChangeAsync(Room room, RecordKind change, string userId)
    {
        var sequence = await WriteAsync(change, room, userId, Guid.CreateVersion7().ToString(), text: null);
        await room.UntilReadAsync(sequence, MostWait, CancellationToken.None);
    }

    // No cancellation token: what a client that hangs up has sent is sent.
    private async Task<long> WriteAsync(RecordKind kind, Room room, string userId, string messageId, string? text)
    {
        var now = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        var record = new ChatRecord(kind, room.RoomId, userId, messageId, text, now);
        var sent = await kafka.SendAsync(options.MessagesTopic, record, room.RoomId);
        await early.PublishAsync(record, sent.Partition, sent.Offset);
        logger.LogInformation(
            "📤 {Kind} {Id} sent to Kafka: {Topic} partition {Partition} offset {Offset}", kind, messageId, sent.Topic, sent.Partition, sent.Offset);
        return reader.SequenceOf(sent.Partition, sent.Offset);
    }
}
