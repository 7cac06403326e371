using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Narad.Kafka.Benchmarks;

/// <summary>The table for people and the file for programs.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static void Print(RowResult row)
    {
        Console.WriteLine();
        Console.WriteLine(row.Target.Length == 0 ? $"{row.Work} [{row.Unit}]" : $"{row.Work} [{row.Unit}]; target: {row.Target}");
        Console.WriteLine($"  {"",-42}{"median",14}{"lowest",14}{"highest",14}{"B/msg",9}   ours/theirs");
        foreach (var entry in row.Entries)
        {
            var ratio = entry.Ratio is null ? "" : $"   {entry.Ratio:0.00} ({entry.LowestRatio:0.00} to {entry.HighestRatio:0.00})";
            Console.WriteLine($"  {entry.Name,-42}{Number(entry.Median),14}{Number(entry.Lowest),14}{Number(entry.Highest),14}{entry.BytesPerMessage,9:0}{ratio}");
        }
    }

    public static async Task WriteAsync(string file, BenchmarkArguments arguments, IReadOnlyList<RowResult> rows)
    {
        var report = new
        {
            At = TimeProvider.System.GetUtcNow(),
            Runtime = RuntimeInformation.FrameworkDescription,
            System = RuntimeInformation.OSDescription,
            Environment.ProcessorCount,
            Client = Confluent.Kafka.Library.VersionString,
            Broker = arguments.Brokers ?? "embedded",
            arguments.Rounds,
            arguments.Messages,
            Rows = rows,
        };
        await using var stream = File.Create(file);
        await JsonSerializer.SerializeAsync(stream, report, Json);
    }

    private static string Number(double value) => value.ToString(value >= 1_000 ? "#,0" : "0.000", CultureInfo.InvariantCulture);
}
