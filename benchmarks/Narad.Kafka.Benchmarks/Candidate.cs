namespace Narad.Kafka.Benchmarks;

/// <summary>One way of doing a row's work.</summary>
/// <param name="Name">What it is called in the table.</param>
/// <param name="RunAsync">Does the work once.</param>
internal sealed record Candidate(string Name, Func<Task<Sample>> RunAsync);
