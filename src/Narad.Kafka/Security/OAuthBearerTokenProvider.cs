namespace Narad.Kafka;

/// <summary>
/// Makes or fetches a token for <c>oauthbearer</c>. Asked once for all clients of a service, before the first connection and again when 80 % of a token's life
/// have passed; never twice at once, unless an earlier call was given up, and never on a thread of the Kafka client. What it throws is logged and seen in
/// health, and it is asked again after 1 s, 2 s, 4 s … up to 30 s; so it is given up when it has not answered after 30 s. While three calls that were given up
/// have not returned, it is not called again: a source that blocks holds three threads at most.
/// </summary>
/// <param name="cancellationToken">Cancelled when the call is given up, and when the service ends.</param>
/// <returns>A token that has not expired.</returns>
public delegate ValueTask<OAuthBearerToken> OAuthBearerTokenProvider(CancellationToken cancellationToken);
