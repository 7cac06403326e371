using System.Collections.Concurrent;

namespace Narad.Kafka.Consuming;

/// <summary>
/// What was reported to keep a group from consuming, by subject, each with the time of its first report. A cause lasts until it is removed; one that its
/// reporter repeats lasts no longer than that. Thread-safe.
/// </summary>
internal sealed class StallCauses(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, Cause> _causes = new(StringComparer.Ordinal);

    /// <summary>Whether nothing was reported that still stands.</summary>
    public bool IsEmpty => _causes.IsEmpty;

    /// <summary>Reports a cause, or reports it again.</summary>
    /// <param name="subject">What it is about; one cause is kept for each.</param>
    /// <param name="text">Cause and remedy.</param>
    /// <param name="repeatedWithin">After what time it is over unless it is reported again; null where it is reported only once.</param>
    /// <param name="since">When it began, as a timestamp of the clock; default now.</param>
    /// <param name="neverUnhealthy">See <see cref="Stall.NeverUnhealthy"/>.</param>
    /// <returns>Whether it is new, or another one than was reported of the subject.</returns>
    public bool Add(string subject, string text, TimeSpan? repeatedWithin = null, long? since = null, bool neverUnhealthy = false)
    {
        var now = time.GetTimestamp();
        var added = new Cause(text, since ?? now, now, repeatedWithin, neverUnhealthy);
        var isNew = true;
        _causes.AddOrUpdate(
            subject,
            added,
            (_, known) =>
            {
                isNew = IsOver(known) || !string.Equals(known.Text, text, StringComparison.Ordinal);
                return IsOver(known) ? added : added with { Since = known.Since };
            });
        return isNew;
    }

    public bool Remove(string subject) => !_causes.IsEmpty && _causes.TryRemove(subject, out _);

    /// <summary>The subjects that begin with a prefix, without it.</summary>
    public IReadOnlyList<string> SubjectsOf(string prefix) =>
        _causes.IsEmpty ? [] : [.. _causes.Keys.Where(subject => subject.StartsWith(prefix, StringComparison.Ordinal))
            .Select(subject => subject[prefix.Length..])];

    /// <summary>What stands now.</summary>
    public IEnumerable<(string Subject, Stall Stall)> Now =>
        _causes.Where(entry => !IsOver(entry.Value)).Select(entry =>
            (entry.Key, new Stall(entry.Value.Text, time.GetElapsedTime(entry.Value.Since), entry.Value.NeverUnhealthy)));

    private bool IsOver(Cause cause) => cause.RepeatedWithin is { } limit && time.GetElapsedTime(cause.Seen) > limit;

    private sealed record Cause(string Text, long Since, long Seen, TimeSpan? RepeatedWithin, bool NeverUnhealthy);
}
