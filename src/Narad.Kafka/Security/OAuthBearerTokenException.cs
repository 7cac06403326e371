namespace Narad.Kafka;

/// <summary>
/// A token could not be had: the identity provider refused or did not answer, or there are no credentials. The message says where, what it answered, and what
/// to check; it contains no secret. A <see cref="OAuthBearerTokenProvider"/> of one's own may throw it, so that its message stands for itself.
/// </summary>
public sealed class OAuthBearerTokenException : NaradKafkaException
{
    /// <summary>Creates the exception.</summary>
    public OAuthBearerTokenException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
