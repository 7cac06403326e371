namespace Narad.Kafka;

/// <summary>
/// Thrown by a batch handler to say where it failed: the messages before <see cref="Index"/> are finished, that one failed, those after it were not
/// handled.
/// </summary>
public sealed class BatchFailedException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="index">The failed message's index in the batch, from 0.</param>
    /// <param name="innerException">Why it failed.</param>
    public BatchFailedException(int index, Exception? innerException = null)
        : base($"Message {index} of the batch failed.", innerException)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        Index = index;
    }

    /// <summary>The failed message's index in the batch, from 0.</summary>
    public int Index { get; }
}
