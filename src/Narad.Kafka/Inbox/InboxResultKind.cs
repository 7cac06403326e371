namespace Narad.Kafka;

/// <summary>What an inbox did with a message.</summary>
public enum InboxResultKind
{
    /// <summary>The handler ran, and the message is noted as handled.</summary>
    Handled,

    /// <summary>It was handled before.</summary>
    AlreadyHandled,

    /// <summary>It is being handled elsewhere.</summary>
    Busy,
}
