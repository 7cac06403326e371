using System.Runtime.CompilerServices;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>A type whose messages or keys have a schema.</summary>
/// <param name="Type">The type.</param>
/// <param name="Topic">The topic, as the application names it; null: every topic.</param>
/// <param name="Subject">The subject; null: <c>{topic}-value</c> or <c>{topic}-key</c>.</param>
/// <param name="IsKey">Whether it is a key's type.</param>
/// <param name="Confluent">Confluent's serializer and deserializer, where they write and read the messages; null: System.Text.Json.</param>
internal sealed record SchemaDeclaration(Type Type, string? Topic, string? Subject, bool IsKey, ConfluentJson? Confluent = null)
{
    /// <summary>The subject of a topic.</summary>
    public string SubjectOf(string topic) => Subject ?? $"{topic}{(IsKey ? "-key" : "-value")}";

    // Looked for by itself at each message: its members need not be hashed.
    public bool Equals(SchemaDeclaration? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => RuntimeHelpers.GetHashCode(this);

    /// <summary>The topic that was written to first, with its schema. Most types have one topic, and comparing its name is quicker than a look-up.</summary>
    public KnownSchema? First { get; set; }

    /// <summary>What it is called in messages to people.</summary>
    public override string ToString() => $"{(IsKey ? "key" : "value")} type {Type.Name}";

    /// <summary>A topic's real name and the schema that is written to it.</summary>
    internal sealed record KnownSchema(string Topic, RegisteredSchemas.WriterSchema Schema);
}
