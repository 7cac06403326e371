using System.Collections.Concurrent;
using Narad.Kafka.Routing;
using Narad.Kafka.Serialization;
using Narad.Kafka.Transactions;

namespace Narad.Kafka;

/// <summary>
/// Which topic the messages of which type go to: <see cref="KafkaOptions.Routes"/>. A message is sent by the route of its own type, else by that of its nearest
/// base class, else by that of the most specific interface it implements. An envelope goes by the route of what it carries. Two routes for one type, and topics
/// that are none, fail the start. Filled before the service starts; thread-safe afterwards.
/// </summary>
/// <example>
/// <code>
/// var options = new KafkaOptions();
/// options.Routes.Add&lt;OrderPlaced&gt;("orders", route =&gt; route.KeySelector = order =&gt; order.OrderId);
/// await using var kafka = new KafkaService(options);
/// await kafka.ConnectProducerAsync();
/// await kafka.SendAsync(new OrderPlaced("o-1"));
/// </code>
/// </example>
public sealed class MessageRoutes : IMessageRoutes
{
    private readonly List<IMessageRoute> _declared = [];

    // By the types of messages that were sent: as many as the application has.
    private readonly ConcurrentDictionary<Type, IMessageRoute> _found = new();

    internal MessageRoutes()
    {
    }

    /// <summary>Declares where messages of a type go. Nothing is checked before the service starts.</summary>
    /// <typeparam name="T">The messages' type: a class, record, struct or interface of the application.</typeparam>
    /// <param name="topic">The topic's name, or the logical name that <see cref="KafkaOptions.TopicNames"/> maps.</param>
    /// <param name="configure">Key, headers, serializer.</param>
    public MessageRoutes Add<T>(string topic, Action<MessageRoute<T>>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(topic);
        var route = new MessageRoute<T>(topic);
        configure?.Invoke(route);
        _declared.Add(route);
        _found.Clear();
        return this;
    }

    /// <summary>Every error of the declarations.</summary>
    /// <param name="topicError">What is wrong with the name of a topic; null where nothing is.</param>
    internal IEnumerable<string> Errors(Func<string, string?> topicError)
    {
        foreach (var twice in _declared.GroupBy(route => route.MessageType).Where(group => group.Count() > 1))
        {
            yield return $"{twice.Key} has {twice.Count()} routes, to {string.Join(" and ", twice.Select(route => $"'{route.Topic}'"))}. Keep one of them; "
                + "to send some messages elsewhere, name the topic: SendAsync(topic, message).";
        }

        foreach (var route in _declared)
        {
            if (route.MessageType == typeof(object) || RawSerialization.IsRaw(route.MessageType))
            {
                yield return $"the route of {route.MessageType} to '{route.Topic}': text, bytes and object say nothing about where they go. Name the topic: "
                    + "SendAsync(topic, message).";
            }

            if (topicError(route.Topic) is { } error)
            {
                yield return $"the route of {route.MessageType}: {error}";
            }
        }
    }

    /// <summary>The route of a subscription to a type: the very type's, or of an envelope, that of what it carries.</summary>
    /// <returns>The route; null where none is declared.</returns>
    internal IMessageRoute? ForSubscription(Type type) =>
        _declared.Find(route => route.MessageType == type)
        ?? (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(MessageEnvelope<>) ? ForSubscription(type.GetGenericArguments()[0]) : null);

    ValueTask<SendResult> IMessageRoutes.SendAsync<T>(
        IMessageSender sender, T message, MessageKey key, SendOptions? options, CancellationToken cancellationToken)
    {
        if (message is null)
        {
            throw new ArgumentNullException(
                nameof(message), "A null message cannot be sent. To delete a key from a compacted topic call SendTombstoneAsync<T>(key).");
        }

        if (message is ISourced { Body: { } body } && !_declared.Exists(route => route.MessageType == message.GetType()))
        {
            var carried = For(body.GetType());
            return sender.SendAsync(
                carried.Topic, message, key.IsNone ? carried.KeyOf(body) : key, carried.OptionsFor(options), cancellationToken);
        }

        var route = For(message.GetType());
        return route.SendAsync(sender, message, key.IsNone ? route.KeyOf(message) : key, route.OptionsFor(options), cancellationToken);
    }

    ValueTask<SendResult> IMessageRoutes.SendTombstoneAsync<T>(
        IMessageSender sender, MessageKey key, SendOptions? options, CancellationToken cancellationToken)
    {
        if (key.IsNone)
        {
            throw new ArgumentException("A tombstone needs a key: without one it deletes nothing.", nameof(key));
        }

        var route = For(typeof(T));
        return sender.SendTombstoneAsync(route.Topic, key, route.OptionsFor(options), cancellationToken);
    }

    private IMessageRoute For(Type type)
    {
        if (_found.TryGetValue(type, out var known))
        {
            return known;
        }

        var nearest = NearestType.Of(type, [.. _declared.Select(route => route.MessageType)]);
        return nearest is [var one]
            ? _found.GetOrAdd(type, _declared.First(route => route.MessageType == one))
            : throw new MessageRouteNotFoundException(type, nearest);
    }
}
