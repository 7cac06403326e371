using System.Reflection;

namespace Narad.Kafka;

/// <summary>Creates envelopes.</summary>
public static class MessageEnvelope
{
    /// <summary>The <see cref="MessageEnvelope{T}.Version"/> of envelopes that say nothing else.</summary>
    public const string DefaultVersion = "1.0";

    /// <summary>Wraps a message: a new id (GUIDv7), version 1.0, the present time.</summary>
    /// <param name="data">The message.</param>
    /// <param name="type">What it is called; null for <see cref="TypeNameOf{T}"/>.</param>
    /// <param name="source">Who says it; null for the client id of the service that sends it.</param>
    /// <param name="time">The clock; null for the system's.</param>
    public static MessageEnvelope<T> Create<T>(T data, string? type = null, string? source = null, TimeProvider? time = null)
    {
        var now = (time ?? TimeProvider.System).GetUtcNow();
        return new MessageEnvelope<T>
        {
            Id = Guid.CreateVersion7(now).ToString(),
            Type = type ?? TypeNameOf<T>(),
            Timestamp = now,
            Source = source,
            Data = data,
        };
    }

    /// <summary>What messages of this type are called: <see cref="MessageTypeAttribute"/>, else the type's name (<c>OrderCreated</c>; generic ones without the arity).</summary>
    public static string TypeNameOf<T>()
    {
        if (typeof(T).GetCustomAttribute<MessageTypeAttribute>(inherit: false) is { } attribute)
        {
            return attribute.Name;
        }

        var name = typeof(T).Name;
        var arity = name.IndexOf('`', StringComparison.Ordinal);
        return arity < 0 ? name : name[..arity];
    }
}
