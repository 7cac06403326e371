using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Narad.Kafka.Clients.Interop;

namespace Narad.Kafka.Benchmarks;

/// <summary>The table for people and the file for programs.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static void Print(RowResult row)
    {
        Console.WriteLine();
        Console.WriteLine($"{row.Name}: {row.Work} [{row.Unit}]");
        Console.WriteLine($"  {"",-50}{"median",13}{"lowest",13}{"highest",13}{"B/msg",8}{"µs/msg",9}   first/this");
        foreach (var entry in row.Entries)
        {
            var ratio = entry.Ratio is null ? "" : $"   {entry.Ratio:0.00} ({entry.LowestRatio:0.00} to {entry.HighestRatio:0.00})";
            var rates = $"{Number(entry.Median),13}{Number(entry.Lowest),13}{Number(entry.Highest),13}";
            Console.WriteLine($"  {entry.Name,-50}{rates}{entry.BytesPerMessage,8:0}{entry.MicrosecondsPerMessage,9:0.00}{ratio}".TrimEnd());
        }

        foreach (var target in row.Targets)
        {
            Console.WriteLine(
                $"  {(target.Met ? "met   " : "missed")}  {target.What}: {target.Bound} {Number(target.Limit)}, measured {Number(target.Measured)}");
        }
    }

    public static string ToJson(BenchmarkArguments arguments, IReadOnlyList<RowResult> rows) => JsonSerializer.Serialize(
        new
        {
            At = TimeProvider.System.GetUtcNow(),
            Runtime = RuntimeInformation.FrameworkDescription,
            System = RuntimeInformation.OSDescription,
            Environment.ProcessorCount,
            Client = DirectAccess.Describe(),
            Broker = arguments.Brokers ?? "embedded",
            arguments.Rounds,
            arguments.Messages,
            Rows = rows,
        },
        Json);

    private static string Number(double value) =>
        value.ToString(value >= 1_000 ? "#,0" : value >= 100 ? "0" : value >= 10 ? "0.0" : "0.000", CultureInfo.InvariantCulture);
}
