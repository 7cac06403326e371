using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;

namespace Orders.Participants;

/// <summary>The behaviour of each participant, as the topic has it; at first all behave. Thread-safe.</summary>
internal sealed class ParticipantBehaviours : IMessageHandler<ParticipantBehaviour>
{
    public const string Payment = "payment";
    public const string Stock = "stock";
    public const string Shipping = "shipping";

    public static readonly IReadOnlyList<string> Names = [Payment, Stock, Shipping];

    private readonly ConcurrentDictionary<string, ParticipantBehaviour> _behaviours = new(StringComparer.Ordinal);

    public ParticipantBehaviour Of(string participant) => _behaviours.GetValueOrDefault(participant) ?? new ParticipantBehaviour { Participant = participant };

    public Task HandleAsync(ParticipantBehaviour message, MessageContext context, CancellationToken cancellationToken)
    {
        _behaviours[message.Participant] = message;
        return Task.CompletedTask;
    }
}

/// <summary>Adds <see cref="ParticipantBehaviours"/>.</summary>
internal static class ParticipantBehavioursExtensions
{
    /// <summary>Every process has all behaviours from its start on.</summary>
    public static NaradKafkaBuilder AddParticipantBehaviours(this NaradKafkaBuilder kafka)
    {
        kafka.Services.AddSingleton<ParticipantBehaviours>();
        return kafka.AddBroadcastSubscription<ParticipantBehaviour, ParticipantBehaviours>(
            Topics.Behaviour, static o => o.StartPosition = StartPosition.Earliest, waitUntilCaughtUp: true);
    }
}
