using System.Globalization;
using Narad.Kafka.Benchmarks;
using Narad.Kafka.Clients.Interop;

if (args.Any(static argument => argument is "--help" or "-h"))
{
    Console.WriteLine(BenchmarkArguments.Help);
    return 0;
}

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var (arguments, error) = BenchmarkArguments.Parse(args);
if (arguments is null)
{
    await Console.Error.WriteLineAsync($"{error} ./bench.sh --help says what there is.");
    return 2;
}

StreamWriter? json = null;
try
{
    // Before anything is measured: a file that cannot be written should be known now.
    json = arguments.Json is null ? null : new StreamWriter(arguments.Json);
}
catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
{
    await Console.Error.WriteLineAsync($"--json {arguments.Json}: {exception.Message}");
    return 2;
}

var row = "";
try
{
    await using var file = json;
    await using var environment = new BenchmarkEnvironment(arguments.Brokers);
    var results = new List<RowResult>();
    Console.WriteLine(
        $"broker: {arguments.Brokers ?? "embedded"}; {Environment.ProcessorCount} cores; {arguments.Messages} messages; {arguments.Rounds} interleaved rounds "
            + $"after an unmeasured one; medians, ratios too");
    Console.WriteLine($"client: Confluent.Kafka {typeof(Confluent.Kafka.Library).Assembly.GetName().Version?.ToString(3)}; {DirectAccess.Describe()}");
    foreach (var name in arguments.Rows)
    {
        row = name;
        RowResult[] measured = name switch
        {
            "send" => [await Sending.PipelinedAsync(environment, arguments)],
            "latency" =>
                [await Sending.LatencyAsync(environment, arguments, TimeSpan.Zero),
                    await Sending.LatencyAsync(environment, arguments, TimeSpan.FromMilliseconds(5))],
            "consume" => [await Consuming.TypedAsync(environment, arguments)],
            "host" => [await Consuming.HostAsync(environment, arguments)],
            "bytes" => [await Consuming.BytesAsync(environment, arguments)],
            "slow" => [await Consuming.SlowAsync(environment, arguments)],
            "key-queues" => [await Components.KeyQueuesAsync(arguments)],
            BenchmarkArguments.Transactions => [await Transactions.ThroughputAsync(environment, arguments)],
            "store" => await Stores.StoreAsync(environment, arguments),
            "outbox" => await Outboxes.MeasureAsync(environment, arguments),
            "inbox" => await Stores.InboxAsync(environment, arguments),
            "schema" => [await Schemas.WriteAndReadAsync(arguments)],
            "idle" => [await Consuming.IdleAsync(environment, arguments)],
            _ => [await Components.TrackerAsync(arguments)],
        };
        results.AddRange(measured);
        Array.ForEach(measured, Report.Print);
    }

    if (file is not null)
    {
        await file.WriteLineAsync(Report.ToJson(arguments, results));
    }

    return 0;
}
catch (Exception exception)
{
    await Console.Error.WriteLineAsync(
        $"\n{(row.Length == 0 ? "" : $"row '{row}' ")}failed, and nothing above counts: {exception.GetType().Name}: {exception.Message}");
    return 1;
}
