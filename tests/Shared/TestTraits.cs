using System.Reflection;

namespace Narad.Kafka.Shared;

/// <summary>The tests of this project and their traits, for the pages that name them.</summary>
internal static class TestTraits
{
    /// <summary>Every test, as <c>Class.Method</c>.</summary>
    public static IEnumerable<string> Names => Tests().Select(NameOf);

    /// <summary>The tests that carry a trait of this name, on themselves or on their class, with its values.</summary>
    public static IEnumerable<(string Test, string Value)> Of(string name) =>
        from test in Tests()
        from attribute in CustomAttributeData.GetCustomAttributes(test).Concat(CustomAttributeData.GetCustomAttributes(test.DeclaringType!))
        where attribute.AttributeType == typeof(TraitAttribute) && Equals(attribute.ConstructorArguments[0].Value, name)
        select (NameOf(test), (string)attribute.ConstructorArguments[1].Value!);

    private static IEnumerable<MethodInfo> Tests() =>
        typeof(TestTraits).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Where(method => method.GetCustomAttributes<FactAttribute>().Any());

    private static string NameOf(MethodInfo test) => $"{test.DeclaringType!.Name.Split('`')[0]}.{test.Name}";
}
