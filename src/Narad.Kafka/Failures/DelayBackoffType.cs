namespace Narad.Kafka;

/// <summary>How the delay before a retry grows.</summary>
public enum DelayBackoffType
{
    /// <summary>Every delay is the same: 2, 2, 2 … seconds.</summary>
    Constant,

    /// <summary>Every delay is longer by the first one: 2, 4, 6 … seconds.</summary>
    Linear,

    /// <summary>Every delay is twice as long as the one before: 2, 4, 8 … seconds.</summary>
    Exponential,
}
