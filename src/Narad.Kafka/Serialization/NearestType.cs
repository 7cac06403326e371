namespace Narad.Kafka.Serialization;

/// <summary>
/// The one rule for base types and derived types: the type itself, else its nearest base class, else the most specific interface. The order of the
/// declarations has no influence. No state.
/// </summary>
internal static class NearestType
{
    /// <summary>The declared type that stands for a type.</summary>
    /// <returns>One; none where nothing declared is a base of it; several where they are interfaces of which none extends all others.</returns>
    public static IReadOnlyList<Type> Of(Type type, IReadOnlyCollection<Type> declared)
    {
        for (var own = type; own is not null; own = own.BaseType)
        {
            if (declared.Contains(own))
            {
                return [own];
            }
        }

        Type[] interfaces = [.. declared.Where(candidate => candidate.IsInterface && candidate.IsAssignableFrom(type))];
        return [.. interfaces.Where(candidate => !interfaces.Any(other => other != candidate && candidate.IsAssignableFrom(other)))];
    }
}
