using System.Collections;

namespace Narad.Kafka;

/// <summary>
/// A message was sent, or a subscription made, by its type, and <see cref="KafkaOptions.Routes"/> does not say to which topic: no route is declared for the
/// type or a base type of it, or several interfaces of it have one. Nothing was sent.
/// </summary>
public sealed class MessageRouteNotFoundException : NaradKafkaException
{
    internal MessageRouteNotFoundException(Type messageType, IReadOnlyList<Type> several)
        : base(Compose(messageType, several)) => MessageType = messageType;

    /// <summary>The type of the message.</summary>
    public Type MessageType { get; }

    private static string Compose(Type type, IReadOnlyList<Type> several) => several.Count > 1
        ? $"{type} could go by several routes: those of {string.Join(" and ", several.Order(Comparer<Type>.Create(ByName)).Select(one => one.Name))}. "
            + $"Declare one for {type.Name} itself: AddNaradKafka().AddRoute<{type.Name}>(\"…\")."
        : $"No route is declared for {type}, so its topic is unknown. Declare it once, with AddNaradKafka().AddRoute<{type.Name}>(\"…\") or "
            + $"KafkaOptions.Routes.Add<{type.Name}>(\"…\"), or name the topic in the call."
            + (typeof(IEnumerable).IsAssignableFrom(type) ? " To send each of a collection call SendManyAsync." : "");

    private static int ByName(Type left, Type right) => string.CompareOrdinal(left.FullName, right.FullName);
}
