namespace Narad.Kafka;

/// <summary>
/// Notes which messages a group has handled. Implementations are thread-safe. A failure of the store, also one that leaves open whether something was
/// written, is a
/// <see cref="StoreUnavailableException"/>; what the handler throws passes unchanged, and leaves nothing noted.
/// </summary>
public interface IInbox
{
    /// <summary>Prepares and checks everything for one subscription: called when it starts, before its first message.</summary>
    /// <returns>What the inbox promises.</returns>
    /// <exception cref="KafkaConfigurationException">The subscription cannot be served as it is configured.</exception>
    /// <exception cref="StoreUnavailableException">The store did not answer within a bounded time.</exception>
    Task<InboxGuarantee> StartAsync(InboxSubscription subscription, CancellationToken cancellationToken);

    /// <summary>Runs the handler unless the message was handled before.</summary>
    /// <param name="message">The message's identity.</param>
    /// <param name="handler">
    /// Handles the message. Its first argument is what the handler's writes have to go through to be committed together with the note
    /// (<see cref="MessageContext.StorageSession"/>); null where there is
    /// no such thing. May be called again after a transaction that was aborted, never while an earlier call runs.
    /// </param>
    /// <param name="cancellationToken">The handler's token: cancelled when the assignment is lost, or at the time limit.</param>
    /// <exception cref="StoreUnavailableException">The store did not answer, or it is unknown whether it committed. The next call for the message finds
    /// out.</exception>
    Task<InboxResult> HandleAsync(InboxMessage message, Func<object?, CancellationToken, Task> handler, CancellationToken cancellationToken);
}
