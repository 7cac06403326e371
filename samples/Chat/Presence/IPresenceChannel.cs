using Narad.Kafka;

namespace Chat.Presence;

/// <summary>Carries what instances tell each other, in the order in which each says it. It may lose some. Thread-safe.</summary>
internal interface IPresenceChannel
{
    Task SubscribeAsync(Action<PresenceRecord> receive, CancellationToken cancellationToken);

    Task PublishAsync(IReadOnlyList<PresenceRecord> records);
}

/// <summary>A topic of one partition, of which each instance reads everything from now on.</summary>
internal sealed class KafkaPresenceChannel(IKafkaService kafka, ChatOptions options) : IPresenceChannel
{
    public Task SubscribeAsync(Action<PresenceRecord> receive, CancellationToken cancellationToken) => kafka.SubscribeBroadcastAsync<PresenceRecord>(
        options.PresenceTopic,
        (record, _, _) =>
        {
            receive(record);
            return Task.CompletedTask;
        },
        static o => o.Order = MessageOrder.ByPartition,
        cancellationToken);

    public Task PublishAsync(IReadOnlyList<PresenceRecord> records) => kafka.SendManyAsync(options.PresenceTopic, records);
}
