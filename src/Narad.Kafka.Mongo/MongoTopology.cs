namespace Narad.Kafka.Mongo;

/// <summary>What kind of server is connected.</summary>
internal enum MongoTopology
{
    Standalone,
    ReplicaSet,
    Sharded,
}
