namespace Narad.Kafka.KeyOrder;

/// <summary>What is to be done with a message of a topic whose failing keys are blocked.</summary>
internal enum KeyOrderDecision
{
    /// <summary>It is at its turn: it is handled.</summary>
    Handle,

    /// <summary>It waits behind its key's failed message: it is forwarded to the retry topic.</summary>
    Forward,

    /// <summary>It was forwarded there or finished before: it is finished here.</summary>
    Finish,

    /// <summary>It is asked again a little later: one that is behind it in its key's order is being handled.</summary>
    Wait,

    /// <summary>It was read too early: what is in front of it failed meanwhile. It goes back to those that wait.</summary>
    PutBack,

    /// <summary>It is dead-lettered with its key.</summary>
    DeadLetter,
}
