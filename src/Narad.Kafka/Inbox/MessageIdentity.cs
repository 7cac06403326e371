using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Narad.Kafka.Serialization;

namespace Narad.Kafka.Inbox;

/// <summary>Finds the id of a message, as <see cref="MessageIdOptions"/> says. Thread-safe.</summary>
internal sealed class MessageIdentity(MessageIdOptions options, Func<CancellationToken, Task<string>> clusterId)
{
    // The namespace of the ids that are made of coordinates. Never changed: ids would.
    private static readonly Guid Namespace = new("6d1c7c0e-9f0b-5f57-9d35-0f6b6b0c8a11");

    public async ValueTask<string> OfAsync(object? message, MessageContext context, CancellationToken cancellationToken)
    {
        if (options.IdSelector?.Invoke(message, context) is { Length: > 0 } selected)
        {
            return selected;
        }

        if (options.IdProperty is { Length: > 0 } property && context.RawValue is { } value && PropertyOf(value.Span, property) is { Length: > 0 } found)
        {
            return found;
        }

        if (options.IdHeader is { Length: > 0 } header && context.Headers.GetText(header) is { Length: > 0 } sent)
        {
            return sent;
        }

        if (message is IIdentified { Id: { Length: > 0 } id })
        {
            return id;
        }

        // The handler's type chose the envelope's data; the id is the envelope's.
        if (context.TypedHandler is { IsOfEnvelope: true } && context.RawValue is { } envelope && PropertyOf(envelope.Span, "id") is { Length: > 0 } own)
        {
            return own;
        }

        return OfCoordinates(await clusterId(cancellationToken).ConfigureAwait(false), context.Group, context.Original, context.OriginalTimestamp);
    }

    /// <summary>UUIDv5. The timestamp is part of it: a topic that was deleted and created again has the same coordinates for other messages.</summary>
    public static string OfCoordinates(string cluster, string group, TopicPartitionOffsetId coordinates, DateTimeOffset timestamp)
    {
        // No name can contain a line feed.
        var name = Encoding.UTF8.GetBytes(string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"{cluster}\n{group}\n{coordinates.Topic}\n{coordinates.Partition}\n{coordinates.Offset}\n{timestamp.ToUnixTimeMilliseconds()}"));
        var bytes = new byte[16 + name.Length];
        Namespace.TryWriteBytes(bytes, bigEndian: true, out _);
        name.CopyTo(bytes, 16);
#pragma warning disable CA5350 // RFC 9562 says SHA-1; nothing is protected by it.
        var hash = SHA1.HashData(bytes).AsSpan(0, 16);
#pragma warning restore CA5350
        hash[6] = (byte)((hash[6] & 0x0F) | 0x50);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash, bigEndian: true).ToString();
    }

    // Null where the value is no JSON object or has no such property: the next source decides.
    private static string? PropertyOf(ReadOnlySpan<byte> json, string name)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            if (!reader.Read() || reader.TokenType is not JsonTokenType.StartObject)
            {
                return null;
            }

            while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
            {
                var isMeant = reader.ValueTextEquals(name);
                reader.Read();
                if (isMeant)
                {
                    return reader.TokenType switch
                    {
                        JsonTokenType.String => reader.GetString(),
                        JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
                        _ => null,
                    };
                }

                reader.Skip();
            }

            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
