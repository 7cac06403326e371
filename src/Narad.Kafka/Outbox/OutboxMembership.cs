namespace Narad.Kafka;

/// <summary>What a relay hears of the others when it renews its leases.</summary>
/// <param name="Relays">How many relays live, this one included.</param>
/// <param name="Held">The leases of this relay that are in force, renewed.</param>
/// <param name="Free">The buckets that nobody holds, or whose lease has expired.</param>
public sealed record OutboxMembership(int Relays, IReadOnlyList<OutboxLease> Held, IReadOnlyList<int> Free);
