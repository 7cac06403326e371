namespace Narad.Kafka;

/// <summary>A value or key does not fit its registered schema. It was not sent. Names places and rules, and never quotes the value.</summary>
public sealed class SchemaValidationException : NaradKafkaException
{
    internal SchemaValidationException(string subject, int schemaId, IReadOnlyList<string> paths)
        : base(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"it does not fit schema {schemaId} of subject '{subject}' at {string.Join(", ", paths)}"))
    {
        Subject = subject;
        SchemaId = schemaId;
        Paths = paths;
    }

    /// <summary>The subject.</summary>
    public string Subject { get; }

    /// <summary>The schema's id in the registry.</summary>
    public int SchemaId { get; }

    /// <summary>JSON pointers, each with the rule that is broken in brackets; at most 10.</summary>
    public IReadOnlyList<string> Paths { get; }
}
