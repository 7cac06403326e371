using System.Diagnostics;
using System.Globalization;

namespace Narad.Kafka.Tests.OwnProcess;

/// <summary>
/// An embedded broker with many topics and groups that nobody sends to: writes the processor time of its process, in percent of one processor.
/// </summary>
internal static class IdleEmbeddedBroker
{
    private const int Topics = 500;
    private const int Groups = 20;

    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(10);

    public static async Task<int> RunAsync(string[] arguments)
    {
        await using var kafka = new KafkaService(
            new KafkaOptions { Mode = KafkaMode.Embedded, TopicPartitions = 1, ShutdownTimeout = TimeSpan.FromSeconds(10) });
        await kafka.ConnectProducerAsync();
        var subscribing = new List<Task>();
        for (var group = 0; group < Groups; group++)
        {
            var name = $"group-{group}";
            await kafka.ConnectConsumerAsync(name);
            for (var topic = 0; topic < Topics / Groups; topic++)
            {
                subscribing.Add(kafka.SubscribeAsync<string>($"topic-{group}-{topic}", (_, _, _) => Task.CompletedTask, name));
            }
        }

        await Task.WhenAll(subscribing).WaitAsync(TimeSpan.FromSeconds(100));
        using var process = Process.GetCurrentProcess();
        await Task.Delay(TimeSpan.FromSeconds(3));   // what joining left to do
        process.Refresh();
        var (processor, started) = (process.TotalProcessorTime, Stopwatch.GetTimestamp());
        await Task.Delay(Measured);
        process.Refresh();
        var percent = 100 * (process.TotalProcessorTime - processor) / Stopwatch.GetElapsedTime(started);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"percent {percent:0.0}"));
        if (arguments is ["--threads"])
        {
            foreach (var thread in ThreadTimes())
            {
                Console.WriteLine(thread);
            }
        }

        return 0;
    }

    private static IEnumerable<string> ThreadTimes() => Directory.GetDirectories("/proc/self/task")
        .Select(static task =>
            (Name: File.ReadAllText(Path.Combine(task, "comm")).Trim(), Fields: File.ReadAllText(Path.Combine(task, "stat")).Split(") ")[^1].Split(' ')))
        .GroupBy(static thread => thread.Name, static thread => long.Parse(thread.Fields[11], CultureInfo.InvariantCulture)
            + long.Parse(thread.Fields[12], CultureInfo.InvariantCulture))
        .OrderByDescending(static threads => threads.Sum())
        .Take(15)
        .Select(static threads => $"{threads.Key} x{threads.Count()}: {threads.Sum() * 10} ms");
}
