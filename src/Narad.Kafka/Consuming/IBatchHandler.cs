namespace Narad.Kafka;

/// <summary>Handles the messages of a hosted subscription in batches. Lifetimes as with <see cref="IMessageHandler{T}"/>.</summary>
/// <typeparam name="T">The message's type.</typeparam>
public interface IBatchHandler<T>
{
    /// <summary>
    /// Handles one batch: of one partition, in offset order. It fails as a whole, unless it throws <see cref="BatchFailedException"/>.
    /// </summary>
    Task HandleAsync(MessageBatch<T> batch, CancellationToken cancellationToken);
}
