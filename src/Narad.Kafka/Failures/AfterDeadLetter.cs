namespace Narad.Kafka;

/// <summary>What becomes of the messages that wait behind a failed one (<see cref="RetryOptions.PreserveKeyOrder"/>) when that becomes a dead letter.</summary>
public enum AfterDeadLetter
{
    /// <summary>They are handled, in their order, without it.</summary>
    Continue,

    /// <summary>They become dead letters too, in their order, unhandled: those that wait at that moment. What is sent later is handled.</summary>
    DeadLetterKey,
}
