using System.Diagnostics.CodeAnalysis;

namespace Narad.Kafka;

/// <summary>One header.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">Its value; null and empty are different.</param>
[SuppressMessage("Performance", "CA1819:Properties should not return arrays", Justification = "The bytes go to and come from the client as they are.")]
public readonly record struct MessageHeader(string Name, byte[]? Value);
