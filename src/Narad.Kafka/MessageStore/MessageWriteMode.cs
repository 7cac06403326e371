namespace Narad.Kafka;

/// <summary>What happens to a message whose id is stored already.</summary>
public enum MessageWriteMode
{
    /// <summary>The stored one stays.</summary>
    InsertIfAbsent,

    /// <summary>The new one replaces it.</summary>
    Replace,

    /// <summary>The new one replaces it if its version is higher.</summary>
    ReplaceIfNewer,
}
