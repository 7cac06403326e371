namespace Narad.Kafka.Shared;

/// <summary>Makes a test method run alone, after all others of its project (<see cref="MethodsInParallel"/>).</summary>
/// <param name="reason">What others that run at the same time would disturb.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NotInParallelAttribute(string reason) : Attribute
{
    public string Reason { get; } = reason;
}

/// <summary>The collections of methods that run alone.</summary>
[CollectionDefinition("runs alone", DisableParallelization = true)]
public sealed class RunsAlone;
