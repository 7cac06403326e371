using System.Threading.Channels;
using Chat.Connections;
using Chat.Contract;
using Chat.Rooms;
using Narad.Kafka;
using StackExchange.Redis;

namespace Chat.Presence;

/// <summary>Tells the other instances who is online here and who types, and the connections here what the others tell. Thread-safe.</summary>
internal sealed class PresenceService(
    IPresenceChannel channel, OnlineUsers online, ClientConnections connections, RoomDirectory rooms, ChatOptions options, ILogger<PresenceService> logger)
    : BackgroundService
{
    private const int MostAtOnce = 500;

    private readonly string _instanceId = Guid.CreateVersion7().ToString();
    private readonly Lock _lock = new();

    // Typing is not worth waiting for; the rest is few.
    private readonly Channel<PresenceRecord> _outgoing = Channel.CreateUnbounded<PresenceRecord>(new UnboundedChannelOptions { SingleReader = true });
    private readonly HashSet<string> _users = new(StringComparer.Ordinal);   // online here
    private long _version;
    private bool _isStarted;

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        online.Changed += TellRooms;
        online.Set(_instanceId, 0, []);
        await channel.SubscribeAsync(Receive, cancellationToken);
        Publish(new PresenceRecord(PresenceKind.Ask, _instanceId));
        _isStarted = true;
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (!_isStarted)
        {
            return;
        }

        await PublishNowAsync([new PresenceRecord(PresenceKind.Stopped, _instanceId)]);
        online.Changed -= TellRooms;
    }

    /// <summary>A connection of the user began or ended here.</summary>
    public void Update(string userId)
    {
        lock (_lock)
        {
            var isOnline = connections.HasUser(userId);
            if (!(isOnline ? _users.Add(userId) : _users.Remove(userId)))
            {
                return;   // the user has other connections here
            }

            _version++;
            Publish(new PresenceRecord(isOnline ? PresenceKind.Online : PresenceKind.Offline, _instanceId, _version, UserId: userId));
            online.Apply(_instanceId, _version, isOnline ? userId : null, isOnline ? null : userId);
        }
    }

    public void SetTyping(string roomId, string userId)
    {
        TellTyping(roomId, userId);
        Publish(new PresenceRecord(PresenceKind.Typing, _instanceId, UserId: userId, RoomId: roomId));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Heartbeat);
        var heartbeats = HeartbeatAsync(timer, stoppingToken);
        while (await _outgoing.Reader.WaitToReadAsync(stoppingToken))
        {
            var records = new List<PresenceRecord>();
            while (records.Count < MostAtOnce && _outgoing.Reader.TryRead(out var record))
            {
                records.Add(record);
            }

            await PublishNowAsync(records);
        }

        await heartbeats;
    }

    private async Task HeartbeatAsync(PeriodicTimer timer, CancellationToken stoppingToken)
    {
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            lock (_lock)
            {
                Publish(new PresenceRecord(PresenceKind.Heartbeat, _instanceId, _version));
            }

            online.Expire(_instanceId, options.OfflineAfter);
        }
    }

    private void Receive(PresenceRecord record)
    {
        if (record.InstanceId == _instanceId)
        {
            if (record.Kind is PresenceKind.Heartbeat)
            {
                online.Hear(_instanceId, record.Version);
            }

            return;
        }

        switch (record.Kind)
        {
            case PresenceKind.Ask:
                lock (_lock)
                {
                    Publish(new PresenceRecord(PresenceKind.Users, _instanceId, _version, [.. _users]));
                }

                break;
            case PresenceKind.Users:
                online.Set(record.InstanceId, record.Version, record.Users ?? []);
                break;
            case PresenceKind.Online when !online.Apply(record.InstanceId, record.Version, record.UserId, null):
            case PresenceKind.Offline when !online.Apply(record.InstanceId, record.Version, null, record.UserId):
            case PresenceKind.Heartbeat when !online.Hear(record.InstanceId, record.Version):
                Publish(new PresenceRecord(PresenceKind.Ask, _instanceId));
                break;
            case PresenceKind.Stopped:
                online.Remove(record.InstanceId);
                break;
            case PresenceKind.Typing when record is { RoomId: { } roomId, UserId: { } userId }:
                TellTyping(roomId, userId);
                break;
        }
    }

    private void Publish(PresenceRecord record) => _outgoing.Writer.TryWrite(record);

    private async Task PublishNowAsync(IReadOnlyList<PresenceRecord> records)
    {
        try
        {
            await channel.PublishAsync(records);
        }
        catch (Exception failure) when (failure is NaradKafkaException or RedisException or TimeoutException)
        {
            logger.LogWarning("The other instances were not told who is online here; they ask when they hear of this one again: {Reason}", failure.Message);
        }
    }

    private void TellTyping(string roomId, string userId) =>
        connections.SendToRoom(roomId, "typing", new TypingEvent(roomId, userId), exceptUserId: userId);

    private void TellRooms(string userId, bool isOnline)
    {
        foreach (var roomId in connections.Rooms())
        {
            if (rooms.FromLog(roomId)[userId].IsMember)
            {
                connections.SendToRoom(roomId, "presence", new PresenceEvent(roomId, userId, isOnline));
            }
        }
    }
}
