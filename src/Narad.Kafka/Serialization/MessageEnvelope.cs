using System.Collections;
using System.Reflection;
using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>Creates envelopes.</summary>
public static class MessageEnvelope
{
    /// <summary>The <see cref="MessageEnvelope{T}.Version"/> of envelopes that say nothing else.</summary>
    public const string DefaultVersion = "1.0";

    /// <summary>Wraps a message: a new id (GUIDv7), version 1.0, the present time.</summary>
    /// <param name="data">The message.</param>
    /// <param name="type">
    /// What it is called; null for the name of the message's own type (see <see cref="TypeNameOf{T}"/>), or of <typeparamref name="T"/> where that has
    /// <see cref="JsonDerivedTypeAttribute"/> or <see cref="JsonPolymorphicAttribute"/> or is a collection.
    /// </param>
    /// <param name="source">Who says it; null for the client id of the service that sends it.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <example>
    /// <code>
    /// await kafka.SendAsync("users", MessageEnvelope.Create(new UserLogin("123")));   // {"id":…,"type":"USER_LOGIN","version":"1.0",…,"data":{…}}
    /// </code>
    /// </example>
    public static MessageEnvelope<T> Create<T>(T data, string? type = null, string? source = null, TimeProvider? time = null)
    {
        var now = (time ?? TimeProvider.System).GetUtcNow();
        return new MessageEnvelope<T>
        {
            Id = Guid.CreateVersion7(now).ToString(),
            Type = type ?? NameOf(data),
            Timestamp = now,
            Source = source,
            Data = data,
        };
    }

    /// <summary>
    /// What messages of this type are called: <see cref="MessageTypeAttribute"/>, else the type's name (<c>OrderCreated</c>; generic ones without the arity).
    /// </summary>
    public static string TypeNameOf<T>() => NameOf(typeof(T));

    // As it is written: by its own type, unless the declared one says how.
    private static string NameOf<T>(T data) => NameOf(
        data is null or IEnumerable || typeof(T).IsDefined(typeof(JsonDerivedTypeAttribute), inherit: false)
            || typeof(T).IsDefined(typeof(JsonPolymorphicAttribute), inherit: false)
            ? typeof(T)
            : data.GetType());

    private static string NameOf(Type type)
    {
        if (type.GetCustomAttribute<MessageTypeAttribute>(inherit: false) is { } attribute)
        {
            return attribute.Name;
        }

        var name = type.Name;
        var arity = name.IndexOf('`', StringComparison.Ordinal);
        return arity < 0 ? name : name[..arity];
    }
}
