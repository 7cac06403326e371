namespace Narad.Kafka.Producing;

/// <summary>What the queue knows of a topic's <c>max.message.bytes</c>. Changed under the lock of <see cref="SendQueue"/>.</summary>
/// <remarks>
/// <list type="table">
/// <listheader><term>State</term><description>Changes to</description></listheader>
/// <item><term>Unasked</term><description>Asking (the first send)</description></item>
/// <item><term>Asking</term><description>Open, Limited or Untold (the answer), Unasked (no client to ask)</description></item>
/// <item><term>Open</term><description>Refused</description></item>
/// <item><term>Untold</term><description>Open, Limited or Untold (asked again after a delivery, holding nothing), Refused</description></item>
/// <item><term>Limited</term><description>Refused, Open (asked again after a delivery, holding nothing)</description></item>
/// <item><term>Refused</term><description>Limited</description></item>
/// </list>
/// </remarks>
internal enum TopicLimit
{
    /// <summary>No batch can exceed it, or nobody can be asked.</summary>
    Open,

    /// <summary>The broker did not say; the topic's sends go, and a refused batch teaches it.</summary>
    Untold,

    /// <summary>It is below a batch: the topic's sends keep to <see cref="TopicQueue.Window"/>.</summary>
    Limited,

    /// <summary>Asked with the first send, which waits.</summary>
    Unasked,

    /// <summary>Being asked; sends wait.</summary>
    Asking,

    /// <summary>The broker refused a batch for its size; its messages are being collected and the limit is asked again.</summary>
    Refused,
}
