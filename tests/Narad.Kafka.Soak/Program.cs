using System.Diagnostics;
using System.Globalization;
using Narad.Kafka.Soak;
using Narad.Kafka.Soak.Verification;
using Narad.Kafka.Soak.Cluster;
using Narad.Kafka.Soak.Load;
using Narad.Kafka.Soak.Scenarios;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["--child", var number, var brokers, var group, var topics, var path, var log, var work, var identity])
{
    return await ChildMember.RunAsync(int.Parse(number, CultureInfo.InvariantCulture), brokers, group, topics.Split(','), path, log, work.Length == 0 ? null
        : Work.Of(work), identity);
}

if (args.Length == 0 || args.Any(static argument => argument is "--help" or "-h"))
{
    Console.WriteLine(SoakArguments.Help);
    return args.Length == 0 ? 2 : 0;
}

if (args is ["--list"])
{
    foreach (var scenario in AllScenarios.All)
    {
        Console.WriteLine($"{scenario.Name,-20} {scenario.Outcome}");
    }

    return 0;
}

if (args is ["--check"])
{
    return VerifierCheck.Run() ? 0 : 1;
}

var (arguments, fault) = SoakArguments.Parse(args);
if (arguments is null)
{
    await Console.Error.WriteLineAsync($"{fault} eng/soak.sh --help says what there is.");
    return 2;
}

var (cluster, missing) = KafkaCluster.FromEnvironment();
if (cluster is null)
{
    await Console.Error.WriteLineAsync(missing);
    return 2;
}

await using var brokersUnderTest = cluster;
foreach (var scenario in arguments.Scenarios)
{
    if (scenario.Brokers == 1 ? cluster.Size != 1 : cluster.Size < scenario.Brokers)
    {
        await Console.Error.WriteLineAsync(
            $"NARAD_TEST_KAFKA names {cluster.Size} broker(s), and '{scenario.Name}' needs "
                + $"{(scenario.Brokers == 1 ? "one alone" : $"{scenario.Brokers}: topics have three replicas")}.");
        return 2;
    }
}

var rows = new List<string>();
var clean = true;
var columns = "";
foreach (var scenario in arguments.Scenarios)
{
    using var events = new EventLog($"{arguments.Log}-{scenario.Name}.log");
    var started = Stopwatch.GetTimestamp();
    var rate = arguments.Rate ?? scenario.Rate;
    Console.WriteLine($"{scenario.Name}, seed {arguments.Seed}, {rate} messages/s, {DateTime.UtcNow:yyyy-MM-dd HH:mm:ss} UTC: {scenario.Outcome}");
    await using var run = await TestRun.CreateAsync(cluster, events, scenario, arguments.Seed, rate);
    await scenario.RunAsync(run);
    var verdict = await scenario.FinishAsync(run);
    Console.WriteLine(verdict);
    foreach (var example in verdict.Examples)
    {
        Console.WriteLine($"    {example}");
    }

    Console.WriteLine($"  the library said: {events.Summary()}");
    var held = verdict.IsClean && run.Failed.Count == 0;
    clean &= held;
    var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
    Console.WriteLine($"  {(held ? "PASSED" : "FAILED")} in {seconds:0} s\n");
    if (!string.Equals(columns, verdict.Columns, StringComparison.Ordinal))
    {
        columns = verdict.Columns;
        rows.Add($"| scenario | took | {columns} |");
    }

    rows.Add($"| `{scenario.Name}` | {seconds:0} s | {verdict.Row} |{(held ? "" : " FAILED |")}");
}

rows.ForEach(Console.WriteLine);
return clean ? 0 : 1;
