using System.Text;
using System.Text.Json;
using Narad.Kafka.Serialization;

namespace Narad.Kafka.MessageTypes;

/// <summary>Where the name of a message's type is: in a property of its JSON, in a header, or where a function of the application says. Thread-safe.</summary>
internal abstract class TypeSource
{
    public static readonly TypeSource Default = new PropertySource("type");

    /// <summary>A property at the top of the JSON; with the name <c>type</c>, of envelopes too.</summary>
    public static TypeSource OfProperty(string name) => new PropertySource(name);

    /// <summary>A header, if it is there once.</summary>
    public static TypeSource OfHeader(string name) => new HeaderSource(name);

    /// <summary>A function of the application.</summary>
    public static TypeSource OfFunction(Func<MessageContext, string?> function) => new FunctionSource(function);

    /// <summary>Finds the name, and what is to be read of the message.</summary>
    /// <exception cref="MessageDeserializationException">The message cannot be read at all.</exception>
    public abstract TypedJson Find(ReadOnlyMemory<byte> data, MessageContext context);

    private sealed class PropertySource(string name) : TypeSource
    {
        // A zero byte, which begins no JSON, and the schema's id.
        private const int FrameLength = 5;

        private readonly byte[] _name = Encoding.UTF8.GetBytes(name);

        public override TypedJson Find(ReadOnlyMemory<byte> data, MessageContext context)
        {
            try
            {
                // Of a framed message the whole is what its schema describes.
                return data.Span is [0, ..] && data.Length > FrameLength
                    ? MessageTypeReader.Read(data[FrameLength..], _name) with { Payload = data }
                    : MessageTypeReader.Read(data, _name);
            }
            catch (JsonException error)
            {
                throw MessageDeserializationException.From(error, typeof(object), context);
            }
        }
    }

    private sealed class HeaderSource(string name) : TypeSource
    {
        public override TypedJson Find(ReadOnlyMemory<byte> data, MessageContext context)
        {
            byte[]? found = null;
            var seen = 0;
            foreach (var header in context.Received is { Count: > 0 } received ? received : context.Headers)
            {
                if (string.Equals(header.Name, name, StringComparison.Ordinal))
                {
                    found = header.Value;
                    seen++;
                }
            }

            // No character takes more than four bytes.
            return new TypedJson(
                seen != 1 || found is null ? null
                    : MessageTypeReader.Cut(Encoding.UTF8.GetString(found.AsSpan(0, Math.Min(found.Length, 4 * (MessageTypeReader.LongestName + 1))))),
                data);
        }
    }

    private sealed class FunctionSource(Func<MessageContext, string?> function) : TypeSource
    {
        public override TypedJson Find(ReadOnlyMemory<byte> data, MessageContext context)
        {
            try
            {
                return new TypedJson(function(context) is { } name ? MessageTypeReader.Cut(name) : null, data);
            }
            catch (Exception error) when (error is not (MessageDeserializationException or SerializationUnavailableException))
            {
                throw new MessageDeserializationException(context, typeof(object), $"the function of TypeFrom threw {error.GetType().Name}", error);
            }
        }
    }
}
