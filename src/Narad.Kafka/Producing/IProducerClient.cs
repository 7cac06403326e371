using Confluent.Kafka;

namespace Narad.Kafka.Producing;

/// <summary>
/// One client that messages are handed to: librdkafka's producer, or the log in Console mode. Thread-safe, except that
/// <see cref="IDisposable.Dispose"/> comes last and may block for long.
/// </summary>
internal interface IProducerClient : IDisposable
{
    /// <summary>Its name in logs.</summary>
    string Name { get; }

    /// <summary>Whether what it takes goes to a broker; the console's goes to the log and nowhere else.</summary>
    bool SendsToBroker => true;

    /// <summary>
    /// Takes a send without waiting. Where it answers <see cref="ErrorCode.NoError"/>,
    /// <see cref="PendingSend.Report(int, long, ErrorCode, PersistenceStatus)"/> (or its form for many) is called exactly once, possibly before this returns;
    /// otherwise never. Never throws. What it needs of the send afterwards it has copied, because the caller's memory (<see cref="PendingSend.Borrows"/>) may
    /// be used again by then; before it reports an error, the send owns its bytes (<see cref="PendingSend.Own()"/>).
    /// </summary>
    Error TryProduce(PendingSend send);

    /// <summary>Gives back what is queued and not yet on its way to a broker: each is reported as <see cref="ErrorCode.Local_PurgeQueue"/>.</summary>
    /// <param name="wait">Whether to return only when it is done, this call's purge and any before it; else it does not block.</param>
    void PurgeQueued(bool wait);

    /// <summary>The most bytes that it puts into one batch, unless a single message is larger.</summary>
    int LargestBatch { get; }

    /// <summary>Asks a broker for the <c>max.message.bytes</c> of topics, in one request. Throws where no broker answers in time.</summary>
    /// <returns>One answer a topic, in their order.</returns>
    Task<IReadOnlyList<LimitAnswer>> FindLimitsAsync(IReadOnlyList<string> topics, TimeSpan timeout);
}
