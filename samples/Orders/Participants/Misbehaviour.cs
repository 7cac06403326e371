namespace Orders.Participants;

/// <summary>Does to a participant what its <see cref="ParticipantBehaviour"/> says. Thread-safe.</summary>
internal sealed class Misbehaviour(ParticipantBehaviours behaviours, Random random, TimeProvider time)
{
    /// <summary>Takes its time, and fails as often as the behaviour says.</summary>
    /// <exception cref="InvalidOperationException">This message fails.</exception>
    public async Task ApplyAsync(string participant, CancellationToken cancellationToken)
    {
        var behaviour = behaviours.Of(participant);
        if (behaviour.Delay > TimeSpan.Zero)
        {
            await Task.Delay(behaviour.Delay, time, cancellationToken);
        }

        if (random.NextDouble() < behaviour.FailureRate)
        {
            throw new InvalidOperationException($"The {participant} service fails on purpose: see its failure rate.");
        }
    }

    /// <summary>Whether this order is refused.</summary>
    public bool Refuses(string participant) => random.NextDouble() < behaviours.Of(participant).RejectRate;
}
