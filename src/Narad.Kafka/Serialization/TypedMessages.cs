using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Serialization;

/// <summary>
/// Chooses among the handlers of one subscription by <c>type</c>. As the subscription's deserializer it finds the route and reads the message, so that an
/// unknown type ends where a message that cannot be deserialized does, unretried; as its handler it calls the route found. Thread-safe.
/// </summary>
internal sealed class TypedMessages : IMessageDeserializer
{
    // More types than this are noise, or somebody's attack on the log.
    private const int MaxTypesLogged = 1_000;

    private readonly MessageTypeMap _map;
    private MessageDecoder _decoder;
    private UnknownTypePolicy _unknown;
    private readonly ILogger _logger;
    private readonly KafkaMeter? _meter;
    private readonly ConcurrentDictionary<string, bool> _logged = new(StringComparer.Ordinal);

    public TypedMessages(MessageTypeMap map, MessageDecoder decoder, UnknownTypePolicy unknown, ILogger logger, KafkaMeter? meter)
    {
        _map = map;
        _decoder = decoder;
        _unknown = unknown;
        _logger = logger;
        _meter = meter;
    }

    /// <summary>Takes what the configuration says too; before the subscription starts.</summary>
    public void Configure(MessageDecoder decoder, UnknownTypePolicy unknown) => (_decoder, _unknown) = (decoder, unknown);

    public ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken)
    {
        TypedJson typed;
        try
        {
            typed = MessageTypeReader.Read(data);
        }
        catch (JsonException e)
        {
            throw MessageDeserializationException.From(e, type, context);
        }

        if (typed.Type is not null && _map.Routes.TryGetValue(typed.Type, out var route))
        {
            context.Route = route;
            return route.Decode(_decoder, route.Whole ? data : typed.Payload, context, cancellationToken);
        }

        if (_unknown is UnknownTypePolicy.Fail)
        {
            throw new UnknownMessageTypeException(typed.Type, _map.Types, context);
        }

        return new(new UnknownMessage(typed.Type));
    }

    public Task HandleAsync(object? message, MessageContext context, CancellationToken cancellationToken)
    {
        if (context.Route is { } route)
        {
            return route.Handle(message, context, cancellationToken);
        }

        if (message is UnknownMessage unknown)
        {
            LogSkipped(unknown.Type, context);
            return Task.CompletedTask;
        }

        return _map.Tombstones?.Invoke(context, cancellationToken) ?? Task.CompletedTask;
    }

    private void LogSkipped(string? type, MessageContext context)
    {
        _meter?.SkippedUnknownType(context.Topic, context.Group);
        var name = ForeignText.Name(type) ?? "(none)";
        if (_logged.Count < MaxTypesLogged && _logged.TryAdd(name, true))
        {
            SerializationLog.SkippedUnknownType(_logger, name, context.Topic, context.Partition, context.Offset);
        }
    }
}
