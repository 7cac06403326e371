using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Security;

/// <summary>What the tokens log: events 9000 to 9999. Never a token.</summary>
internal static partial class SecurityLog
{
    [LoggerMessage(9001, LogLevel.Error,
        "The token source of {ClientId} failed: {Reason}. {TokenState} It is asked again in {Delay}, then ever more rarely, at least every {Longest}.")]
    public static partial void SourceFailed(ILogger logger, string clientId, string reason, string tokenState, string delay, string longest);

    [LoggerMessage(9002, LogLevel.Information, "The token source of {ClientId} works again; the token is good until {ExpiresAt:u}.")]
    public static partial void SourceWorksAgain(ILogger logger, string clientId, DateTimeOffset expiresAt);

    [LoggerMessage(9003, LogLevel.Debug, "The token of {Principal} is good until {ExpiresAt:u}; {Clients} clients have it.")]
    public static partial void Renewed(ILogger logger, string principal, DateTimeOffset expiresAt, int clients);

    [LoggerMessage(9004, LogLevel.Debug, "{Client} could not be told that there is no token ({Reason}).")]
    public static partial void ClientNotTold(ILogger logger, string client, string reason);
}
