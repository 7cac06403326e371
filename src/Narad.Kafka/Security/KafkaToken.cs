using System.Collections.Frozen;

namespace Narad.Kafka;

/// <summary>A token of the mechanism OAUTHBEARER.</summary>
/// <param name="Value">What the broker checks; a secret.</param>
/// <param name="ExpiresAt">Until when it is good.</param>
/// <param name="Principal">Whose it is.</param>
public sealed record KafkaToken(string Value, DateTimeOffset ExpiresAt, string Principal)
{
    /// <summary>SASL extensions that go to the broker with it. Default none.</summary>
    public IReadOnlyDictionary<string, string> Extensions { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>Whose it is and until when, without the token.</summary>
    public override string ToString() => $"token of {Principal}, good until {ExpiresAt:u}";
}
