using System.Buffers;
using System.Text;
using System.Text.Json;
using Narad.Kafka;

namespace QuickStart.Verification.Recording;

/// <summary>How a run ended.</summary>
/// <param name="Recording">The figures.</param>
/// <param name="Run">Its id, which its messages carry.</param>
/// <param name="Malformed">Lines that were left out, each reported.</param>
/// <param name="Failed">Lines whose sending failed, each a loss that the library reported.</param>
/// <param name="Interrupted">Whether it was stopped before its end.</param>
/// <param name="Trouble">Why it ended by itself before its end; null where it did not.</param>
/// <param name="Unreachable">Whether the run broke off and no broker answered then: what became of its messages can not be known.</param>
/// <param name="Again">After a run that broke off: how many messages were handled here that the group has not committed; null where that is not known.</param>
internal sealed record Summary(Snapshot Recording, string Run, long Malformed, long Failed, bool Interrupted, string? Trouble, bool Unreachable, long? Again)
{
    /// <summary>The mode that it ran in.</summary>
    public KafkaMode Mode => Recording.Mode;

    /// <summary>Whether it was stopped before there was anything to report.</summary>
    public bool NeverBegan => Interrupted && Recording.Sent == 0 && Recording.Foreign == 0;

    /// <summary>Null in Console, where nothing is handled.</summary>
    public long? Handled => Mode == KafkaMode.Console ? null : Recording.Handled;

    /// <summary>Null in Console, where nothing is kept that could be lost.</summary>
    public long? Lost => Mode == KafkaMode.Console ? null : Recording.Lost;

    /// <summary>Handled by other members of the group, as its committed offsets tell.</summary>
    public long Elsewhere => Mode == KafkaMode.Console ? 0 : Math.Max(0, Recording.Acknowledged - Recording.Handled - Recording.Lost);

    /// <summary>0 where all went well; 1 where something was lost, out of order or could not be sent, or the run broke off or never began.</summary>
    public int ExitCode => NeverBegan || Lost > 0 || Recording.OutOfOrder > 0 || Failed > 0 || Trouble is not null ? 1 : 0;

    /// <summary>The line that <c>--json</c> asks for.</summary>
    public string ToJson()
    {
        var line = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(line))
        {
            json.WriteStartObject();
            json.WriteNumber("sent", Recording.Sent);
            json.WriteNumber("acknowledged", Recording.Acknowledged);
            WriteNumber(json, "handled", Handled);
            WriteNumber(json, "lost", Lost);
            json.WriteNumber("outOfOrder", Recording.OutOfOrder);
            json.WriteNumber("duplicates", Recording.Duplicates);
            json.WriteNumber("foreign", Recording.Foreign);
            WriteNumber(json, "perSecond", Round(Recording.PerSecond ?? 0, 1));
            WriteNumber(json, "p50Ms", Round(Recording.P50?.TotalMilliseconds, 3));
            WriteNumber(json, "p99Ms", Round(Recording.P99?.TotalMilliseconds, 3));
            json.WriteString("mode", Mode.ToString());
            json.WriteString("run", Run);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(line.WrittenSpan);
    }

    private static decimal? Round(double? value, int digits) => value is { } number ? Math.Round((decimal)number, digits) : null;

    private static void WriteNumber(Utf8JsonWriter json, string name, decimal? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
