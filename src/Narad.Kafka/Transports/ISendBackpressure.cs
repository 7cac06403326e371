using Confluent.Kafka;

namespace Narad.Kafka.Transports;

/// <summary>
/// Admits sends while the broker has room for them, so that it never drops what no group has committed (design: the embedded broker keeps
/// 5 MiB a partition). Thread-safe; every admitted send is reported exactly once, by <see cref="Acknowledged"/> or <see cref="Failed"/>.
/// </summary>
internal interface ISendBackpressure
{
    /// <summary>Admits a send at once where there is room.</summary>
    bool TryEnter(string topic, int bytes);

    /// <summary>Completes when a refused send may try again; never admits by itself. Throws when cancelled.</summary>
    Task WaitAsync(string topic, CancellationToken cancellationToken);

    /// <summary>What <see cref="KafkaSendException"/> says when a send timed out here: why there is no room and what to do.</summary>
    string Describe(string topic);

    /// <summary>An admitted send was written.</summary>
    void Acknowledged(string topic, int partition, long offset, int bytes);

    /// <summary>An admitted send was not written.</summary>
    void Failed(string topic, int bytes);

    /// <summary>A group of this process reads this topic; what it has not committed counts as backlog from now on.</summary>
    /// <param name="group">Its name.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="finished">Of readers that commit nothing: how far a partition is finished; null where it is not read. Any thread.</param>
    void GroupReads(string group, string topic, Func<TopicPartition, long?>? finished = null);
}
