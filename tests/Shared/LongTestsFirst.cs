using Xunit.Abstractions;

namespace Narad.Kafka.Shared;

/// <summary>A test method that takes half a minute or more, mostly waiting: it starts before the others, and so does not run on alone after them.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LongAttribute : Attribute;

/// <summary>Starts the methods marked <see cref="LongAttribute"/> first (<see cref="MethodsInParallel"/>).</summary>
public sealed class LongTestsFirst : ITestCollectionOrderer
{
    internal const string Mark = "long: ";

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderByDescending(static collection => collection.DisplayName.StartsWith(Mark, StringComparison.Ordinal));
}
