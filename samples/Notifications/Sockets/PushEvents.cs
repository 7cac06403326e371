using Narad.Kafka;

namespace Notifications.Sockets;

/// <summary>Queues each event on the connections that this instance has of its user. Never waits for a client.</summary>
internal sealed class PushEvents(Connections connections) : IMessageHandler<NotificationEvent>
{
    public Task HandleAsync(NotificationEvent message, MessageContext context, CancellationToken cancellationToken)
    {
        var own = connections.Of(message.UserId);
        if (own.Length > 0 && message is { Added: { } added })
        {
            var frame = new Frame(added.Id, FrameJson.Of(added));
            Array.ForEach(own, connection => connection.TrySend(frame));
        }
        else if (own.Length > 0 && message is { Changed: { } change })
        {
            var frame = new Frame(Id: null, FrameJson.Of(change));
            Array.ForEach(Array.FindAll(own, static connection => connection.WantsChanges), connection => connection.TrySend(frame));
        }

        return Task.CompletedTask;
    }
}
