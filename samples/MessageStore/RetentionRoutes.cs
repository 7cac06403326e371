using System.ComponentModel.DataAnnotations;
using Narad.Kafka;

namespace MessageStore;

/// <summary>The body of <c>PUT /retention</c>.</summary>
/// <param name="Hours">How long Kafka keeps messages, whether they were consumed or not: 1 hour to 10 years.</param>
public sealed record NewRetention([property: Required, Range(1, 24 * 366 * 10)] int? Hours);

/// <summary>How long Kafka keeps messages: <c>retention.ms</c> of the topic.</summary>
internal static class RetentionRoutes
{
    public static void MapRetention(this WebApplication app)
    {
        app.MapGet("/retention", ShowAsync);
        app.MapPut("/retention", static async (NewRetention body, IKafkaService kafka, CancellationToken cancellationToken) =>
        {
            await kafka.Topics.SetRetentionAsync(MessageStoreRoles.Topic, TimeSpan.FromHours(body.Hours!.Value), cancellationToken);
            return await ShowAsync(kafka, cancellationToken);
        });
    }

    private static async Task<Retention> ShowAsync(IKafkaService kafka, CancellationToken cancellationToken)
    {
        var topic = await kafka.Topics.GetDetailsAsync(MessageStoreRoles.Topic, cancellationToken);
        return new Retention(topic?.Name ?? MessageStoreRoles.Topic, topic?.Retention?.TotalMilliseconds, kafka.Mode is KafkaMode.Kafka);
    }

    private sealed record Retention(string Topic, double? RetentionMs, bool CanBeSet);
}
