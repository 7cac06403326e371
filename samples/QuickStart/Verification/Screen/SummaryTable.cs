using System.Globalization;
using Narad.Kafka;
using QuickStart.Verification.Recording;
using Spectre.Console;

namespace QuickStart.Verification.Screen;

/// <summary>What is left on the screen when a run is over: the figures, what they mean where they are not good, and what to try next.</summary>
internal static class SummaryTable
{
    public static void Write(Terminal terminal, Summary summary, DemoArguments arguments)
    {
        if (summary.NeverBegan)
        {
            terminal.Output.WriteLine("Interrupted before anything was sent: there is nothing to report.");
            return;
        }

        terminal.Ansi.Write(Table(summary, terminal.Ansi.Profile.Capabilities.Interactive ? TableBorder.Rounded : TableBorder.Ascii));
        foreach (var remark in Remarks(summary, arguments))
        {
            terminal.Output.WriteLine(remark);
        }

        terminal.Output.WriteLine();
        terminal.Output.WriteLine("Next, try:");
        foreach (var next in NextSteps(summary.Mode))
        {
            terminal.Output.WriteLine($"  {next}");
        }
    }

    private static Table Table(Summary summary, TableBorder border)
    {
        var records = summary.Recording;
        var table = new Table().Border(border).AddColumn($"{summary.Mode}").AddColumn("", column => column.RightAligned().NoWrap());
        Row("sent", Number(records.Sent));
        Row("acknowledged", summary.Mode == KafkaMode.Console ? "logged only" : Number(records.Acknowledged), bad: records.Acknowledged < records.Sent);
        Row("handled", Number(summary.Handled));
        if (summary.Elsewhere > 0)
        {
            Row("handled by other members", Number(summary.Elsewhere));
        }

        Row(summary.Unreachable ? "may be lost" : "lost", Number(summary.Lost), bad: summary.Lost > 0);
        Row("out of order", Number(records.OutOfOrder), bad: records.OutOfOrder > 0);
        Row("duplicates within this process", Number(records.Duplicates));
        if (records.Foreign > 0)
        {
            Row("foreign (of other runs)", Number(records.Foreign));
        }

        if (summary.Malformed > 0)
        {
            Row("malformed, left out", Number(summary.Malformed));
        }

        Row("throughput", records.PerSecond is { } rate ? $"{rate.ToString("N0", CultureInfo.InvariantCulture)} / s" : "-");
        Row("latency p50", Milliseconds(records.P50));
        Row("latency p99", Milliseconds(records.P99));
        return table;

        void Row(string name, string figure, bool bad = false) => table.AddRow(new Text(name), new Text(figure, bad ? new Style(Color.Red) : Style.Plain));
    }

    private static IEnumerable<string> Remarks(Summary summary, DemoArguments arguments)
    {
        if (summary.Trouble is { } trouble)
        {
            yield return $"The run broke off: {trouble}";
        }

        if (summary.Interrupted)
        {
            yield return "The run was interrupted; what ran was finished first.";
        }

        if (summary.Failed > 0)
        {
            yield return $"{Number(summary.Failed)} lines could not be sent; the reasons are on standard error.";
        }

        if (summary.Unreachable)
        {
            yield return summary.Lost > 0
                ? $"No broker answers, so what became of {Number(summary.Lost)} acknowledged and not handled messages can not be known now: the embedded "
                    + $"broker of a demo that has ended took them with it, a real Kafka still has them in {arguments.Topic}."
                : "No broker answers; all that it had acknowledged was handled.";
            yield return "How far the group has committed is not known either: messages that were handled here may come again.";
        }
        else if (summary is { Lost: > 0, Mode: KafkaMode.Embedded })
        {
            yield return "What was not handled went with the embedded broker, which lives in this process.";
        }
        else if (summary is { Again: { } again, Mode: KafkaMode.Kafka })
        {
            if (summary.Lost > 0)
            {
                yield return $"Lost to this run, not to the broker: what nobody handled is still in {arguments.Topic}, and the group {arguments.Group} "
                    + "continues with it.";
            }

            yield return again > 0
                ? $"When the group continues, {Number(again)} of the handled messages come again: they were handled here, beyond what it has committed."
                : "When the group continues, none of the handled messages comes again: it has committed them all.";
        }

        if (summary.Mode == KafkaMode.Console)
        {
            yield return "Nothing was sent to a broker: the messages were logged only.";
        }
    }

    private static string[] NextSteps(KafkaMode mode) =>
    [
        mode == KafkaMode.Kafka
            ? "the same in two terminals at once, each with --handle-delay 20: they share the group"
            : "./demo.sh --brokers localhost:9092    the same on a real Kafka (docker compose up -d starts one)",
        mode == KafkaMode.Console
            ? "./demo.sh                             the same through a real group, on the embedded broker"
            : "./demo.sh --handle-delay 200          and Ctrl-C: what runs is finished, and the summary is true",
        "./demo.sh FILE --key FIELD            your own data; --output handled.jsonl lets you check the table",
    ];

    private static string Number(long? value) => value?.ToString("N0", CultureInfo.InvariantCulture) ?? "-";

    private static string Milliseconds(TimeSpan? value) =>
        value is { } latency ? $"{latency.TotalMilliseconds.ToString("N1", CultureInfo.InvariantCulture)} ms" : "-";
}
