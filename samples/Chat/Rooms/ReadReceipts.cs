using System.Diagnostics.CodeAnalysis;
using Chat.Log;
using Narad.Kafka;

namespace Chat.Rooms;

/// <summary>
/// Sends receipts to Kafka: those that a user makes within a fifth of a second as one. Thread-safe.
/// </summary>
internal sealed class ReadReceipts(IKafkaProducer kafka, ChatOptions options, TimeProvider time, ILogger<ReadReceipts> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly Lock _lock = new();
    private Dictionary<(string RoomId, string UserId), Receipt> _next = [];
    private TaskCompletionSource _sent = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Takes a receipt. Completes when Kafka acknowledged it.</summary>
    /// <param name="room">The room.</param>
    /// <param name="userId">The user.</param>
    /// <param name="deliveredUpTo">Received up to here; never above the room's newest message.</param>
    /// <param name="readUpTo">Read up to here.</param>
    public Task AddAsync(Room room, string userId, long deliveredUpTo, long readUpTo)
    {
        var known = room[userId];
        var receipt = new Receipt(userId, Math.Min(Math.Max(deliveredUpTo, readUpTo), room.Head), Math.Min(readUpTo, room.Head));
        if (known.With(receipt) == known)
        {
            return Task.CompletedTask;
        }

        lock (_lock)
        {
            var key = (room.RoomId, userId);
            _next[key] = _next.TryGetValue(key, out var waiting)
                ? new Receipt(userId, Math.Max(waiting.DeliveredUpTo, receipt.DeliveredUpTo), Math.Max(waiting.ReadUpTo, receipt.ReadUpTo))
                : receipt;
            return _sent.Task;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await SendAsync();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await SendAsync();
        }
    }

    [SuppressMessage("Reliability", "CA2000", Justification = "A task needs no disposal.")]
    private async Task SendAsync()
    {
        Dictionary<(string RoomId, string UserId), Receipt> receipts;
        TaskCompletionSource sent;
        lock (_lock)
        {
            if (_next.Count == 0)
            {
                return;
            }

            (receipts, _next) = (_next, []);
            (sent, _sent) = (_sent, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        try
        {
            var now = time.GetUtcNow();
            await kafka.SendManyAsync(
                options.StateTopic,
                receipts.Select(one => new StateRecord(
                    StateKind.Receipt, one.Key.UserId, one.Key.RoomId, one.Value.DeliveredUpTo, one.Value.ReadUpTo, now)),
                static record => record.RoomId!);
            logger.LogDebug("📝 {Count} status update(s) sent to Kafka", receipts.Count);
            sent.TrySetResult();
        }
        catch (NaradKafkaException failure)
        {
            logger.LogWarning("📝 {Count} status update(s) were not confirmed by Kafka; clients send them again: {Reason}", receipts.Count, failure.Message);
            sent.TrySetException(failure);
            _ = sent.Task.Exception;   // observed: nobody may be waiting
        }
    }
}
