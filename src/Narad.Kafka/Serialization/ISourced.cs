namespace Narad.Kafka.Serialization;

/// <summary>A message that says who sent it: an envelope, whatever it carries.</summary>
internal interface ISourced
{
    /// <summary>What it carries.</summary>
    object? Body { get; }

    /// <summary>The type that it declares to carry.</summary>
    Type BodyType { get; }

    /// <summary>The same message, said by <paramref name="source"/> where it does not say by whom.</summary>
    object WithSource(string source);
}
