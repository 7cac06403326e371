using System.Runtime.CompilerServices;
using Narad.Kafka;

namespace Chat.Log;

/// <summary>
/// Tells the log of one embedded broker from that of the next one, whose offsets begin again while the messages of a database stay. Thread-safe.
/// </summary>
internal static class LogIdentity
{
    private static readonly ConditionalWeakTable<EmbeddedBroker, string> Ids = [];

    /// <summary>The id of an embedded broker's log; null for another broker's, which continues its offsets.</summary>
    public static string? Of(EmbeddedBroker? broker) => broker is null ? null : Ids.GetValue(broker, static _ => Guid.CreateVersion7().ToString());
}
