namespace Narad.Kafka;

/// <summary>What happens to a message whose type no handler of the subscription is declared for.</summary>
public enum UnknownTypePolicy
{
    /// <summary>As a message that cannot be read: the dead-letter topic, where there is one; else the partition stops. The default: nothing is dropped
    /// silently.</summary>
    Fail,

    /// <summary>The message is finished without being handled; counted, and logged once for each type.</summary>
    Skip,

    /// <summary>The dead-letter topic, at once. Start fails where the subscription has none.</summary>
    DeadLetter,

    /// <summary>The handler that <see cref="MessageTypeMap.Otherwise{THandler}"/> names.</summary>
    Handle,
}
