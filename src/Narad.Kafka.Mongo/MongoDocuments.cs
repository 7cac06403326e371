using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using MongoDB.Bson;

namespace Narad.Kafka.Mongo;

/// <summary>
/// Makes documents that a person and another language can read: names as in JSON, no .NET types, GUIDs as UUID (subtype 4), times as UTC dates, decimals as
/// Decimal128. Thread-safe.
/// </summary>
internal sealed class MongoDocuments(JsonSerializerOptions? json)
{
    /// <summary>The field that decides which of two documents is newer.</summary>
    public const string Version = "_version";

    private const int MostDepth = 90;

    private static readonly Lazy<JsonSerializerOptions> Defaults = new(CreateDefaults);

    private JsonSerializerOptions Json => json ?? Defaults.Value;

    /// <summary>The message as it came, with its coordinates.</summary>
    public BsonDocument WithCoordinates(StoredMessage message)
    {
        var context = message.Context;
        var document = new BsonDocument
        {
            { "_id", message.Id },
            { "topic", context.Original.Topic },
            { "partition", context.Original.Partition },
            { "offset", context.Original.Offset },
            { "timestamp", context.OriginalTimestamp.UtcDateTime },
            { "key", KeyOf(context.Key) },
        };
        if (context.Headers.Count > 0)
        {
            document.Add("headers",
                new BsonArray(context.Headers.Select(static header => new BsonDocument { { "name", header.Name }, { "value", TextOrBytes(header.Value) } })));
        }

        document.Add("message", ValueOf(message.Message, 0));
        return document;
    }

    /// <summary>The application's document, with the message id where it has no <c>_id</c>. A copy: the application may keep its own.</summary>
    public BsonDocument Mapped(BsonDocument mapped, StoredMessage message)
    {
        var document = new BsonDocument { { "_id", mapped.GetValue("_id", message.Id) } };
        foreach (var element in mapped)
        {
            if (!string.Equals(element.Name, "_id", StringComparison.Ordinal))
            {
                document.Add(element);
            }
        }

        return document;
    }

    private BsonValue ValueOf(object? value, int depth)
    {
        if (depth > MostDepth)
        {
            throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"its values are nested deeper than {MostDepth} levels."));
        }

        return value switch
        {
            null => BsonNull.Value,
            string text => text,
            bool flag => (BsonBoolean)flag,
            byte or sbyte or short or ushort or int => Convert.ToInt32(value, CultureInfo.InvariantCulture),
            uint or long => Convert.ToInt64(value, CultureInfo.InvariantCulture),
            ulong large => large <= long.MaxValue ? (BsonValue)(long)large : new BsonDecimal128(large),
            decimal number => new BsonDecimal128(number),
            double number => number,
            float number => (double)number,
            Guid id => new BsonBinaryData(id, GuidRepresentation.Standard),
            DateTimeOffset moment => new BsonDateTime(moment.ToUnixTimeMilliseconds()),
            DateTime moment => new BsonDateTime(new DateTimeOffset(moment.Kind is DateTimeKind.Unspecified ? DateTime.SpecifyKind(moment, DateTimeKind.Utc)
                : moment.ToUniversalTime()).ToUnixTimeMilliseconds()),
            byte[] bytes => new BsonBinaryData(bytes),
            ReadOnlyMemory<byte> bytes => new BsonBinaryData(bytes.ToArray()),
            Memory<byte> bytes => new BsonBinaryData(bytes.ToArray()),
            BsonValue bson => bson,
            JsonElement element => ValueOf(element, depth),
            _ => ObjectOf(value, depth),
        };
    }

    private BsonValue ObjectOf(object value, int depth)
    {
        var type = Json.GetTypeInfo(value.GetType());
        switch (type.Kind)
        {
            case JsonTypeInfoKind.Object when type.PolymorphismOptions is null:
                var document = new BsonDocument();
                foreach (var property in type.Properties)
                {
                    if (property.Get is { } get && property.CustomConverter is null && get(value) is var member
                        && property.ShouldSerialize?.Invoke(value, member) is not false)
                    {
                        document[property.Name] = ValueOf(member, depth + 1);
                    }
                    else if (property.CustomConverter is not null)
                    {
                        return FromJson(value, type, depth);
                    }
                }

                return document;
            case JsonTypeInfoKind.Enumerable when value is IEnumerable items and not IAsyncEnumerable<object>:
                return new BsonArray(items.Cast<object?>().Select(item => ValueOf(item, depth + 1)));
            case JsonTypeInfoKind.Dictionary when value is IDictionary entries:
                var map = new BsonDocument();
                foreach (DictionaryEntry entry in entries)
                {
                    map[Convert.ToString(entry.Key, CultureInfo.InvariantCulture)!] = ValueOf(entry.Value, depth + 1);
                }

                return map;
            default:
                return FromJson(value, type, depth);
        }
    }

    // What has a converter of its own is what that writes.
    private BsonValue FromJson(object value, JsonTypeInfo type, int depth) => ValueOf(JsonSerializer.SerializeToElement(value, type), depth);

    private BsonValue ValueOf(JsonElement element, int depth) => element.ValueKind switch
    {
        JsonValueKind.Object => ObjectOf(element, depth),
        JsonValueKind.Array => new BsonArray(element.EnumerateArray().Select(item => ValueOf(item, depth + 1))),
        JsonValueKind.String => element.GetString()!,
        JsonValueKind.Number => NumberOf(element),
        JsonValueKind.True => BsonBoolean.True,
        JsonValueKind.False => BsonBoolean.False,
        _ => BsonNull.Value,
    };

    private BsonDocument ObjectOf(JsonElement element, int depth)
    {
        var document = new BsonDocument();
        foreach (var property in element.EnumerateObject())
        {
            document[property.Name] = ValueOf((object)property.Value, depth + 1);   // of equal names the last one counts, as in JSON
        }

        return document;
    }

    private static BsonValue NumberOf(JsonElement element) =>
        element.TryGetInt32(out var small) ? small
        : element.TryGetInt64(out var large) ? large
        : element.TryGetDecimal(out var exact) && IsExact(element, exact) ? new BsonDecimal128(exact)
        : Decimal128.TryParse(element.GetRawText(), out var wide) && !Decimal128.IsInfinity(wide) ? new BsonDecimal128(wide)
        : element.GetDouble();

    // Decimal rounds what has more digits.
    private static bool IsExact(JsonElement element, decimal number) =>
        string.Equals(element.GetRawText(), number.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);

    private static BsonValue KeyOf(MessageKey key) => TextOrBytes(key.ToBytes());

    private static BsonValue TextOrBytes(byte[]? bytes)
    {
        if (bytes is null)
        {
            return BsonNull.Value;
        }

        return System.Text.Unicode.Utf8.IsValid(bytes) && bytes.AsSpan().IndexOfAnyInRange((byte)0, (byte)8) < 0
            ? System.Text.Encoding.UTF8.GetString(bytes) : new BsonBinaryData(bytes);
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Only where reflection is enabled, which is where nothing was trimmed.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Only where reflection is enabled.")]
    private static JsonSerializerOptions CreateDefaults()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web);
        if (JsonSerializer.IsReflectionEnabledByDefault)
        {
            options.TypeInfoResolver = new DefaultJsonTypeInfoResolver();
        }

        options.MakeReadOnly();
        return options;
    }
}
