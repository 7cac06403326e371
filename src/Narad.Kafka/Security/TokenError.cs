namespace Narad.Kafka.Security;

/// <summary>How a token source failed; each way is logged once until it works again.</summary>
internal enum TokenError
{
    Threw,
    Hung,
    Malformed,
    Expired,

    /// <summary>The source did its part, and the client would not take the token.</summary>
    Refused,
}
