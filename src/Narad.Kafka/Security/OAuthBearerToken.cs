using System.Collections.ObjectModel;
using System.Text.Json.Serialization;

namespace Narad.Kafka;

/// <summary>
/// What a <see cref="OAuthBearerTokenProvider"/> returns: a bearer token, and how long the broker takes it. Immutable; its text never contains the token.
/// </summary>
/// <param name="Value">The token as the broker is to see it, such as a JWT: visible ASCII without a space or a line break.</param>
/// <param name="ExpiresAt">When the broker refuses it. It is renewed when 80 % of the time until then have passed.</param>
/// <param name="Principal">Whose token it is, for logs; the broker reads that from the token itself. May be empty.</param>
public sealed record OAuthBearerToken([property: JsonIgnore] string Value, DateTimeOffset ExpiresAt, string Principal)
{
    /// <summary>
    /// What goes to the broker beside the token (RFC 7628), such as Confluent Cloud's <c>logicalCluster</c> and <c>identityPoolId</c>: names of the letters A
    /// to Z in either case, other than <c>auth</c>; values of printable ASCII. Default none.
    /// </summary>
    public IReadOnlyDictionary<string, string> Extensions { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Whose token it is and how long it is good, without the token.</summary>
    public override string ToString() => $"Token of '{Principal}', good until {ExpiresAt.UtcDateTime:u}";
}
