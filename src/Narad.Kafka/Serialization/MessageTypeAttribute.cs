namespace Narad.Kafka;

/// <summary>The name that a message's type has in envelopes and where handlers are chosen by <c>type</c>; without it, the type's own name.</summary>
/// <param name="name">The name, such as <c>ORDER_CREATED</c>. It is compared exactly.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Interface, Inherited = false)]
public sealed class MessageTypeAttribute(string name) : Attribute
{
    /// <summary>The name.</summary>
    public string Name { get; } = name;
}
