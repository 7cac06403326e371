namespace Narad.Kafka;

/// <summary>What happens to a message whose <c>type</c> no handler of the subscription is declared for.</summary>
public enum UnknownTypePolicy
{
    /// <summary>As with a failing handler: the partition stops. The default: nothing is dropped silently.</summary>
    Fail,

    /// <summary>The message is finished without being handled; counted, and logged once for each type.</summary>
    Skip,
}
