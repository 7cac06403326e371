using System.Globalization;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka;

/// <summary>
/// A message's type is none that the subscription has a handler for, and <see cref="UnknownTypePolicy.Fail"/> or
/// <see cref="UnknownTypePolicy.DeadLetter"/> is in force. Names the type and those that are known.
/// </summary>
public sealed class UnknownMessageTypeException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="type">The message's type; null where it has none.</param>
    /// <param name="knownTypes">The types that the subscription has handlers for.</param>
    /// <param name="context">Where the message came from.</param>
    public UnknownMessageTypeException(string? type, IReadOnlyCollection<string> knownTypes, MessageContext context)
        : base(Compose(type, knownTypes, context))
    {
        Type = ForeignText.Name(type);
        KnownTypes = knownTypes;
    }

    /// <summary>The message's type; null where it has none. Long ones are cut after about 100 characters, and control characters are escaped.</summary>
    public string? Type { get; }

    /// <summary>The types that the subscription has handlers for.</summary>
    public IReadOnlyCollection<string> KnownTypes { get; }

    private static string Compose(string? type, IReadOnlyCollection<string> knownTypes, MessageContext context)
    {
        ArgumentNullException.ThrowIfNull(knownTypes);
        ArgumentNullException.ThrowIfNull(context);
        var what = type is null
            ? "has no type that can be read (it is missing, is not text, or is there more than once)"
            : $"is of type \"{ForeignText.Name(type)}\", for which there is no handler";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"The message at {context.Topic}[{context.Partition}]@{context.Offset} {what}; known are "
                + $"{string.Join(", ", knownTypes.Order(StringComparer.Ordinal))}. Add a handler, or say what happens to other types (Otherwise, "
                + $"OnUnknownType).");
    }
}
