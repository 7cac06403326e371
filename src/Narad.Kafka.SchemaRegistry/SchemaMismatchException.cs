namespace Narad.Kafka;

/// <summary>
/// A type cannot be sent with the schema of its subject: there is none, the type does not fit it, the registry refused the type's schema, or says that it is
/// not compatible with the latest one.
/// </summary>
public sealed class SchemaMismatchException : NaradKafkaException
{
    internal SchemaMismatchException(string message, string subject, IReadOnlyList<string> differences, Exception? innerException = null)
        : base(message, innerException)
    {
        Subject = subject;
        Differences = differences;
    }

    /// <summary>The subject; empty where a serializer of <c>WithSerdes</c> chose it (the message names it).</summary>
    public string Subject { get; }

    /// <summary>
    /// How the type's schema and the registered one differ, a sentence each; empty where no schema is registered, or no difference was found.
    /// </summary>
    public IReadOnlyList<string> Differences { get; }
}
