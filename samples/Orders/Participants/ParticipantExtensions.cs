using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;

namespace Orders.Participants;

/// <summary>What the participants have in common.</summary>
internal static class ParticipantExtensions
{
    // Few, because they change the same documents: stock levels.
    private const int Parallelism = 8;

    /// <summary>Handles a participant's commands, each type with its handler. What fails is retried through the retry topic, in the order of the key.</summary>
    public static void AddParticipant(this NaradKafkaBuilder kafka, string topic, Action<MessageTypeMap> commands, string group)
    {
        kafka.Services.AddSingleton(Random.Shared);
        kafka.Services.AddSingleton<Misbehaviour>();
        kafka.AddParticipantBehaviours();
        kafka.AddSubscription(topic, commands, group, static subscription =>
        {
            subscription.HandleOnce();
            subscription.Parallelism = Parallelism;
        });
    }
}
