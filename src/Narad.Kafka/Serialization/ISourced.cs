namespace Narad.Kafka.Serialization;

/// <summary>A message that says who sent it: an envelope, whatever it carries.</summary>
internal interface ISourced
{
    /// <summary>The same message, said by <paramref name="source"/> where it does not say by whom.</summary>
    object WithSource(string source);
}
