using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>A message whose handling failed, for a delegate that decides what becomes of it.</summary>
/// <param name="Error">What was thrown.</param>
/// <param name="Context">The message; <see cref="MessageContext.Attempt"/> says which invocation it was.</param>
public sealed record FailedMessage([property: JsonConverter(typeof(KafkaJsonConverter))] Exception Error, MessageContext Context);
