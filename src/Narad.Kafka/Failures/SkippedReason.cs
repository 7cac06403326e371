using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>Why a dead letter was not sent again. It stays where it is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SkippedReason>))]
public enum SkippedReason
{
    /// <summary>It does not say where it came from, or for which group, in a form that could be this library's.</summary>
    NoOrigin,

    /// <summary>The topic that it came from does not exist, or is none that may be written to so: an internal one, or the dead-letter topic itself.</summary>
    NoTopic,

    /// <summary>With the few headers that its new record needs it is larger than its target takes.</summary>
    TooLarge,

    /// <summary>
    /// It names a topic whose dead letters do not go to this dead-letter topic, or one that holds retry records or dead letters, and
    /// <see cref="RedriveOptions.SourceTopics"/> does not name that topic.
    /// </summary>
    NotAllowed,

    /// <summary>The retry topic of its group does not exist and may not be created (<see cref="KafkaOptions.TopicCreation"/>).</summary>
    NoRetryTopic,
}
