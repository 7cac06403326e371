namespace Narad.Kafka;

/// <summary>Some messages of a <c>SendManyAsync</c> failed; the others were acknowledged.</summary>
public sealed class KafkaSendManyException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What failed, how many, and the first reason.</param>
    /// <param name="results">One entry a message, in order; null where it failed.</param>
    /// <param name="failures">The failures, by the message's index.</param>
    public KafkaSendManyException(string message, IReadOnlyList<SendResult?> results, IReadOnlyDictionary<int, Exception> failures)
        : base(message, failures?.Values.FirstOrDefault())
    {
        ArgumentNullException.ThrowIfNull(failures);
        Results = results;
        Failures = failures;
    }

    /// <summary>One entry a message, in order; null where it failed.</summary>
    public IReadOnlyList<SendResult?> Results { get; }

    /// <summary>The failures, by the message's index.</summary>
    public IReadOnlyDictionary<int, Exception> Failures { get; }
}
