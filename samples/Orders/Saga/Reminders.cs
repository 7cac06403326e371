namespace Orders.Saga;

/// <summary>
/// Which sagas are reminded. A reminder that waits in the topic behind others is not sent again with each look, or reminders would pile up faster than the saga
/// handles them; one that was lost is sent again after a while. Not thread-safe.
/// </summary>
/// <param name="pause">How long after a reminder the next one of the same deadline is sent.</param>
internal sealed class Reminders(TimeSpan pause)
{
    private Dictionary<SagaState, DateTimeOffset> _sent = [];

    /// <summary>Those of the due sagas that were not reminded lately. What is not due any more is forgotten.</summary>
    public IReadOnlyList<SagaState> Choose(IReadOnlyList<SagaState> due, DateTimeOffset now)
    {
        var chosen = due.Where(saga => !_sent.TryGetValue(saga, out var sent) || now - sent >= pause).ToHashSet();
        _sent = due.ToDictionary(static saga => saga, saga => chosen.Contains(saga) ? now : _sent[saga]);
        return [.. chosen];
    }
}
