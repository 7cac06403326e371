namespace Narad.Kafka.Serialization;

/// <summary>A message that has an id of its own: an envelope, whatever it carries.</summary>
internal interface IIdentified
{
    string Id { get; }
}
