namespace ChatLoad;

/// <summary>What a run measured.</summary>
/// <param name="Options">What load there was.</param>
/// <param name="Closed">Connections that the server closed.</param>
/// <param name="Refusals">Messages that the server did not acknowledge, by reason.</param>
/// <param name="Lost">Deliveries of acknowledged messages that did not come.</param>
/// <param name="Doubled">Deliveries that came twice.</param>
/// <param name="OutOfOrder">Deliveries whose sequence was not above the one before.</param>
/// <param name="Acknowledged">From when a message was due until Kafka's acknowledgement.</param>
/// <param name="Delivered">From when a message was due until it arrived at each member of its room.</param>
internal sealed record LoadResult(
    LoadOptions Options,
    int Closed,
    IReadOnlyDictionary<string, int> Refusals,
    int Lost,
    int Doubled,
    int OutOfOrder,
    Percentiles Acknowledged,
    Percentiles Delivered)
{
    public const string Header =
        """
        | Users | Rooms | Sent/s | Delivered/s | Sent, p50/p99 ms | Delivered, p50/p99 ms | Lost | Doubled | Out of order | Refused | Closed |
        |---|---|---|---|---|---|---|---|---|---|---|
        """;

    /// <summary>Whether nothing was lost, doubled, out of order, refused or closed.</summary>
    public bool IsClean => Lost + Doubled + OutOfOrder + Closed + Refusals.Count == 0;

    /// <summary>A row of the table.</summary>
    public override string ToString()
    {
        string[] cells =
        [
            $"{Options.Users}", $"{Options.Rooms}", $"{Acknowledged.Count / Options.Seconds}", $"{Delivered.Count / Options.Seconds}", $"{Acknowledged}",
            $"{Delivered}", $"{Lost}", $"{Doubled}", $"{OutOfOrder}", $"{Refusals.Values.Sum()}", $"{Closed}",
        ];
        return $"| {string.Join(" | ", cells)} |";
    }
}
