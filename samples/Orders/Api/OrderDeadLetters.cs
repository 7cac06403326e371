using System.Text.Json;
using Narad.Kafka;
using Narad.Samples;
using Orders.Events;
using Orders.ReadModel;

namespace Orders.Api;

/// <summary>What the page shows of the messages that saga and participants could not handle.</summary>
internal sealed class OrderDeadLetters(IOrderReadModel readModel) : IDeadLetterView
{
    public IReadOnlyList<DeadLetterTopic> Topics { get; } =
        [.. Orders.Topics.Handled.Select(static topic => new DeadLetterTopic($"{topic}-dlt", $"{topic}-retry"))];

    public async Task<IReadOnlyList<object>> ShowAsync(IReadOnlyList<DeadLetter> letters, CancellationToken cancellationToken)
    {
        var ids = letters.Select(static letter => letter.Key.AsText()).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
        var orders = await readModel.ReadAsync((await readModel.GetModelsAsync(cancellationToken)).Active, ids, cancellationToken);
        return [.. letters.Select(letter =>
        {
            var orderId = letter.Key.AsText();
            var order = orderId is null ? null : orders.GetValueOrDefault(orderId);
            return new Item(
                letter.Position.Topic, letter.Position.Partition, letter.Position.Offset, letter.Time, letter.SourceTopic, TypeOf(letter), orderId,
                letter.Attempts, letter.ExceptionMessage, order?.State);
        })];
    }

    // Null where it is no message of this system, which may be why it is here.
    private static string? TypeOf(DeadLetter letter)
    {
        try
        {
            using var json = JsonDocument.Parse(letter.Value ?? default);
            return json.RootElement.ValueKind is JsonValueKind.Object && json.RootElement.TryGetProperty("type", out var type) ? type.GetString() : null;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>A dead letter, and the state that its order has now.</summary>
    private sealed record Item(
        string Topic, int Partition, long Offset, DateTimeOffset Time, string? Source, string? Type, string? OrderId, int Attempts, string? Error,
        OrderState? State);
}
