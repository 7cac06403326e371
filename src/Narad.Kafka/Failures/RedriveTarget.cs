namespace Narad.Kafka;

/// <summary>Who gets a dead letter that is sent again.</summary>
public enum RedriveTarget
{
    /// <summary>The group that could not handle it, and no other: through its retry topic, with all attempts again.</summary>
    Group,

    /// <summary>Every group, those that had handled it included: it goes to the topic that it came from, as a new message.</summary>
    EveryGroup,
}
