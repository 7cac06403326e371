namespace Narad.Kafka;

/// <summary>
/// Where the schema of an outgoing message comes from. Never both: a message is sent either with a registered schema or with the one that this application
/// registers.
/// </summary>
public enum SchemaRegistration
{
    /// <summary>The latest schema of the subject. Start fails where there is none, or where the type does not fit it.</summary>
    UseLatestVersion,

    /// <summary>The schema of the type: registered where the subject does not have it yet.</summary>
    Register,
}
