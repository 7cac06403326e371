using Chat.Connections;
using Chat.Contract;
using Chat.Log;
using Chat.Security;
using Chat.Storage;
using Microsoft.Extensions.Options;
using Narad.Kafka;

namespace Chat.Rooms;

/// <summary>
/// Reads the log in this instance and delivers it to the connections here. It starts a little before what is not stored yet: the log from there on, and the
/// storage, are all there is. Thread-safe.
/// </summary>
internal sealed class LogReader(
    IKafkaService kafka, IChatStorage storage, RoomDirectory rooms, ClientConnections connections, SignedOutUsers signedOut, ChatOptions options,
    IEarlyDelivery early, IOptions<KafkaOptions> kafkaOptions, ILogger<LogReader> logger) : BackgroundService
{
    // Stored records that are read all the same, so that a message that is sent again is recognised.
    private const int StoredRecordsRead = 1_000;

    // Records that came early, and wait for those before them.
    private const int MostEarly = 1_000;

    private static readonly TimeSpan TrimInterval = TimeSpan.FromSeconds(5);

    private readonly Dictionary<int, PartitionReader> _partitions = [];
    private IReadOnlyDictionary<int, LogPosition> _positions = new Dictionary<int, LogPosition>();

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await storage.StartAsync(LogIdentity.Of(kafkaOptions.Value.EmbeddedBroker), cancellationToken);
        signedOut.Add(await storage.SignedOutAsync(cancellationToken));
        _positions = await storage.PositionsAsync(StoreChatLog.Messages, cancellationToken);
        var statePositions = await storage.PositionsAsync(StoreChatLog.State, cancellationToken);

        var state = await kafka.SubscribeBroadcastAsync<StateRecord>(
            options.StateTopic, ReadAsync, static o => o.StartPosition = StartPosition.Earliest, cancellationToken);
        var messages = await kafka.SubscribeBroadcastAsync<ChatRecord>(
            options.MessagesTopic,
            ReadAsync,
            static o =>
            {
                o.StartPosition = StartPosition.Earliest;
                o.Order = MessageOrder.ByPartition;
            },
            cancellationToken);
        await early.SubscribeAsync(ReadEarly, cancellationToken);
        await SkipStoredAsync(state, statePositions, cancellationToken);
        await SkipStoredAsync(messages, _positions, cancellationToken);
        await state.UntilCaughtUpAsync(cancellationToken);
        await messages.UntilCaughtUpAsync(cancellationToken);
        logger.LogInformation("✅ Kafka producer and consumer connected; {Rooms} room(s) read from the log", rooms.All.Count());
        await base.StartAsync(cancellationToken);
    }

    /// <summary>The sequence of a record of the topic with messages.</summary>
    public long SequenceOf(int partition, long offset) => (_positions.GetValueOrDefault(partition)?.Base ?? 0) + offset + 1;

    // A record that came another way, earlier than from the log. Where records before it are missing it waits for them.
    private void ReadEarly(ChatRecord record, int partition, long offset) => Of(partition).Read(record, offset, isEarly: true);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TrimInterval);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                var stored = await storage.PositionsAsync(StoreChatLog.Messages, stoppingToken);
                foreach (var room in rooms.All)
                {
                    if (room.Partition is { } partition && stored.GetValueOrDefault(partition) is { } position)
                    {
                        room.Trim(position.Base + position.Next);
                    }
                }
            }
            catch (StoreUnavailableException failure)
            {
                logger.LogWarning("The storage does not answer; messages stay in memory meanwhile: {Reason}", failure.Message);
            }
        }
    }

    private static async Task SkipStoredAsync(
        IBroadcastSubscription subscription, IReadOnlyDictionary<int, LogPosition> positions, CancellationToken cancellationToken)
    {
        foreach (var partition in subscription.Assignment)
        {
            if (StartOf(positions, partition.Partition) is > 0 and var start)
            {
                await subscription.SeekAsync(partition, start, cancellationToken);
            }
        }
    }

    private static long StartOf(IReadOnlyDictionary<int, LogPosition> positions, int partition) =>
        Math.Max(0, (positions.GetValueOrDefault(partition)?.Next ?? 0) - StoredRecordsRead);

    private Task ReadAsync(ChatRecord record, MessageContext context, CancellationToken cancellationToken)
    {
        Of(context.Partition).Read(record, context.Offset, isEarly: false);
        return Task.CompletedTask;
    }

    private Task ReadAsync(StateRecord record, MessageContext context, CancellationToken cancellationToken)
    {
        if (!record.IsComplete)
        {
            return Task.CompletedTask;
        }

        if (record.Kind is StateKind.SignedOut)
        {
            signedOut.Add(record.UserId, record.Time);
            foreach (var connection in connections.OfUser(record.UserId).Where(connection => connection.SignedInAt <= record.Time))
            {
                connection.Close();
            }
        }
        else if (rooms.FromLog(record.RoomId!).Read(new Receipt(record.UserId, record.DeliveredUpTo, record.ReadUpTo)) is { } member)
        {
            connections.SendToRoom(
                record.RoomId!, "marker", new MarkerEvent(record.RoomId!, record.UserId, member.DeliveredUpTo, member.ReadUpTo));
        }

        return Task.CompletedTask;
    }

    private PartitionReader Of(int partition)
    {
        lock (_partitions)
        {
            return _partitions.TryGetValue(partition, out var reader)
                ? reader
                : _partitions[partition] = new PartitionReader(this, partition, StartOf(_positions, partition));
        }
    }

    private void Deliver(ChatRecord record, int partition, long sequence)
    {
        var room = rooms.FromLog(record.RoomId);
        var read = room.Read(record, partition, sequence);
        if (read is var (message, previous))
        {
            connections.SendToRoom(record.RoomId, "message", new MessageEvent(
                message.MessageId, message.RoomId, message.UserId, message.Text, message.Sequence, previous, message.Timestamp));
        }
        else if (record.Kind is not RecordKind.Message && room[record.UserId].ChangedAt == sequence)
        {
            rooms.NoteChange(record.UserId, record.RoomId);
            if (record.Kind is not RecordKind.Joined)
            {
                foreach (var connection in connections.Leave(record.UserId, record.RoomId))
                {
                    connection.Send("removed", new RemovedEvent(record.RoomId, record.Kind is RecordKind.Removed ? "removed" : "left"));
                }
            }

            connections.SendToRoom(record.RoomId, "member", new MemberEvent(record.RoomId, record.UserId, record.Kind is RecordKind.Joined));
        }
    }

    /// <summary>
    /// A partition in the order of its offsets, from one of them on: what is read before the subscription has moved there is left out, because a message
    /// after records that were not read would name the wrong one before it. Thread-safe.
    /// </summary>
    private sealed class PartitionReader(LogReader reader, int partition, long start)
    {
        private readonly SortedDictionary<long, ChatRecord> _early = [];
        private long _next = start;

        public void Read(ChatRecord record, long offset, bool isEarly)
        {
            lock (_early)
            {
                if (offset < _next)
                {
                    return;
                }

                if (isEarly && offset != _next)
                {
                    if (_early.Count < MostEarly)
                    {
                        _early[offset] = record;
                    }

                    return;
                }

                Deliver(record, offset);
                while (_early.Count > 0 && _early.First() is var (early, waiting) && early <= _next)
                {
                    _early.Remove(early);
                    if (early == _next)
                    {
                        Deliver(waiting, early);
                    }
                }
            }
        }

        private void Deliver(ChatRecord record, long offset)
        {
            _next = offset + 1;
            if (record.IsComplete)
            {
                reader.Deliver(record, partition, reader.SequenceOf(partition, offset));
            }
        }
    }
}
