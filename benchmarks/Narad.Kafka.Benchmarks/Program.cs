using System.Globalization;
using Narad.Kafka.Benchmarks;

if (args is ["--help" or "-h"])
{
    Console.WriteLine(BenchmarkArguments.Help);
    return 0;
}

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var (arguments, fault) = BenchmarkArguments.Parse(args);
if (arguments is null)
{
    Console.Error.WriteLine(fault);
    Console.Error.WriteLine(BenchmarkArguments.Help);
    return 2;
}

var results = new List<RowResult>();
await using (var arena = new Arena(arguments.Brokers))
{
    Console.WriteLine($"broker: {arguments.Brokers ?? "embedded"}; {arguments.Rounds} interleaved rounds after an unmeasured one; medians; the ratio is the median of the rounds' ratios");
    foreach (var name in arguments.Rows)
    {
        RowResult[] rows = name switch
        {
            "send" => [await Sending.PipelinedAsync(arena, arguments)],
            "latency" => [await Sending.LatencyAsync(arena, arguments, TimeSpan.Zero), await Sending.LatencyAsync(arena, arguments, TimeSpan.FromMilliseconds(5))],
            "consume" => [await Consuming.TypedAsync(arena, arguments)],
            "empty" => [await Consuming.EmptyAsync(arena, arguments)],
            "slow" => [await Consuming.SlowAsync(arena, arguments)],
            "lanes" => [await Parts.LanesAsync(arguments)],
            _ => [await Parts.TrackerAsync(arguments)],
        };
        foreach (var row in rows)
        {
            results.Add(row);
            Report.Print(row);
        }
    }
}

if (arguments.Json is { } file)
{
    await Report.WriteAsync(file, arguments, results);
}

return 0;
