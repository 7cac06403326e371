using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Narad.Kafka.Serialization;

/// <summary>
/// Decides by which type a message is written: a message that is declared as an interface or a base class is written whole, as what it is, unless the JSON
/// contract of the declared type says how derived types are written. Not a cache: where declared and own type are equal it is not asked.
/// </summary>
internal static class RuntimeTypes
{
    /// <summary>Whether the declared type's contract leaves out what a derived type adds.</summary>
    /// <remarks>
    /// It does not where it names derived types (<c>JsonDerivedType</c>, <c>JsonPolymorphic</c> or a resolver's
    /// <see cref="JsonTypeInfo.PolymorphismOptions"/>), where a converter writes it (<see cref="object"/> included, which is written by its own type), or where
    /// it is a collection.
    /// </remarks>
    public static bool Truncates(JsonTypeInfo declared) => declared is { Kind: JsonTypeInfoKind.Object, PolymorphismOptions: null };

    /// <summary>Replaces an envelope's <c>data</c> in its JSON.</summary>
    /// <param name="envelope">The JSON of the envelope.</param>
    /// <param name="data">The JSON to put there.</param>
    /// <returns>The envelope with it; as it was where it has no <c>data</c> (a converter of the application writes it).</returns>
    public static byte[] WithData(byte[] envelope, byte[] data)
    {
        var reader = new Utf8JsonReader(envelope);
        if (!reader.Read() || reader.TokenType is not JsonTokenType.StartObject)
        {
            return envelope;
        }

        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var found = reader.ValueTextEquals("data"u8);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (found)
            {
                var end = (int)reader.BytesConsumed;
                return [.. envelope.AsSpan(0, start), .. data, .. envelope.AsSpan(end)];
            }
        }

        return envelope;
    }
}
