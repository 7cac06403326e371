using System.Diagnostics.CodeAnalysis;
using Confluent.Kafka;

namespace Narad.Kafka.Configuration;

/// <summary>The mechanisms that <see cref="SaslOptions.Mechanism"/> may name, in any case.</summary>
internal static class SaslMechanisms
{
    public const string AwsMskIam = "aws_msk_iam";

    public const string OAuthBearer = "oauthbearer";

    public static readonly IReadOnlyList<string> Names = ["plain", "scram-sha-256", "scram-sha-512", OAuthBearer, AwsMskIam];

    /// <summary>What people write for a mechanism, taken or not: none of it is a secret.</summary>
    public static readonly IReadOnlyList<string> KnownNames = [
        .. Names, "gssapi", "kerberos", "external", "anonymous", "scram", "oidc", "oauth", "iam", "md5", "none"];

    /// <summary>A mechanism's name as it may be shown: not where it looks like none, since then it may be a password in the wrong setting.</summary>
    public static string? Shown(string? mechanism) =>
        string.IsNullOrWhiteSpace(mechanism) || MayBeShown.AsOneOf(mechanism, KnownNames) ? mechanism : "(not shown: it may be a secret)";

    /// <summary>Whether connections log in: there is a user, or the mechanism makes its own tokens.</summary>
    public static bool IsUsed(SaslOptions sasl) => !string.IsNullOrEmpty(sasl.Username) || MakesTokens(sasl.Mechanism);

    /// <summary>Whether the mechanism needs tokens instead of a password.</summary>
    public static bool MakesTokens(string? mechanism) => Is(mechanism, OAuthBearer) || Is(mechanism, AwsMskIam);

    public static bool Is(string? mechanism, string name) => string.Equals(mechanism?.Trim(), name, StringComparison.OrdinalIgnoreCase);

    /// <summary>The client's mechanism; null where the name is none of <see cref="Names"/>.</summary>
    [SuppressMessage("Globalization", "CA1308:Normalize strings to uppercase", Justification = "The names are lower case.")]
    public static SaslMechanism? Parse(string? mechanism) => mechanism?.Trim().ToLowerInvariant() switch
    {
        "plain" => SaslMechanism.Plain,
        "scram-sha-256" => SaslMechanism.ScramSha256,
        "scram-sha-512" => SaslMechanism.ScramSha512,
        OAuthBearer or AwsMskIam => SaslMechanism.OAuthBearer,
        _ => null,
    };
}
