using System.Globalization;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>The brokers and topics that one broker names. Immutable.</summary>
/// <param name="ClusterId">The cluster's id; empty where the brokers have none.</param>
/// <param name="Brokers">The brokers that are up; never empty.</param>
/// <param name="Topics">Those of the topics that were asked for which the broker named, in the order of the names.</param>
/// <param name="KnowsIds">Whether the ids of topics can be read with this version of librdkafka.</param>
internal sealed record ClusterMetadata(string ClusterId, IReadOnlyList<ClusterBroker> Brokers, IReadOnlyList<DescribedTopic> Topics, bool KnowsIds);

/// <summary>A broker with the address that it names for itself.</summary>
internal sealed record ClusterBroker(int Id, string Host, int Port)
{
    public string Address => string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");
}

/// <summary>A topic as a broker describes it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Error">Why it cannot be described; <see cref="ErrorCode.NoError"/> where it can.</param>
/// <param name="Partitions">The number of partitions.</param>
/// <param name="Replicas">The smallest number of replicas of a partition; 0 without partitions.</param>
/// <param name="Id">The id that no other topic has, also none of the same name; null where the brokers, or this version of librdkafka, do not tell it.</param>
internal sealed record DescribedTopic(string Name, ErrorCode Error, int Partitions, int Replicas, string? Id);
