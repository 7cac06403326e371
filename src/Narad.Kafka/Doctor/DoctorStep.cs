namespace Narad.Kafka;

/// <summary>One step of an examination. No secret is in it.</summary>
/// <param name="Name">What was done: <c>settings</c>, <c>names</c>, <c>connections</c>, <c>TLS</c>, <c>login</c>, <c>cluster</c>, <c>topic</c>,
/// <c>produce</c> or <c>consume</c>.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="Details">What was found; several things on lines of their own.</param>
/// <param name="Recommendation">What to look at or to change; null where nothing is to be done.</param>
public sealed record DoctorStep(string Name, DoctorOutcome Outcome, TimeSpan Elapsed, string Details, string? Recommendation = null);
