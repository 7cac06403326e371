using Narad.Kafka;

namespace ClientToClient.ClientA;

/// <summary>Sees to the topics before the first request is taken. One partition each: messages are handled in the order in which they were sent.</summary>
internal sealed class Topics(IKafkaService kafka) : IHostedService
{
    public const string Messages = "client-messages";

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var topics = new List<TopicSpec> { new(Messages, Partitions: 1) };
        if (kafka.Mode is KafkaMode.Embedded)
        {
            // Nobody else can create topics on the broker of this process; on a real cluster client B sees to its own.
            topics.Add(new TopicSpec($"{Messages}-retry", Partitions: 1));
            topics.Add(new TopicSpec($"{Messages}-dlt", Partitions: 1));
        }

        return kafka.Topics.CreateIfNotExistsAsync(topics, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
