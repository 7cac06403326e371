namespace Narad.Kafka;

/// <summary>One message of a batch.</summary>
/// <param name="Message">The message.</param>
/// <param name="Context">Where it came from.</param>
/// <typeparam name="T">The message's type.</typeparam>
public readonly record struct BatchItem<T>(T Message, MessageContext Context);
