using System.Diagnostics;
using Confluent.Kafka.Admin;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>The soak: what goes wrong next, and for how long, is drawn from the seed; the load continues all the while.</summary>
internal static class RandomFaults
{
    private const int MostPartitions = 24;

    public static Scenario For(TimeSpan time) =>
        new("soak", $"random faults for {time.TotalMinutes:0.#} minutes: nothing is lost, nothing is out of order", run =>
            RunAsync(run, time, MostPartitions, calm: TimeSpan.Zero));

    /// <summary>
    /// Members, a load, and faults for a while; the topics grow up to so many partitions. After each fault it is calm for so long and a little longer.
    /// </summary>
    public static async Task RunAsync(TestRun run, TimeSpan time, int mostPartitions, TimeSpan calm)
    {
        await run.JoinAsync();
        await run.JoinAsync();
        await run.SendAsync();
        var coming = new List<Member>();
        var children = new List<ChildMember>();
        var partitions = 6;
        var started = Stopwatch.GetTimestamp();
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        while (Stopwatch.GetElapsedTime(started) < time)
        {
            var random = run.Random;
            var broker = random.Next(1, run.Cluster.Size + 1);
            var length = TimeSpan.FromSeconds(random.Next(3, 20));
            string what;
            switch (random.Next(10))
            {
                case 0 or 1:
                    what = "kill";
                    await run.BreakAsync(what, broker, length);
                    break;
                case 2:
                    what = "stop";
                    await run.BreakAsync(what, broker, length);
                    break;
                case 3 or 4:
                    what = "pause";
                    await run.BreakAsync(what, broker, length);
                    break;
                case 5 or 6 when coming.Count < 3:
                    what = "join";
                    coming.Add(await run.JoinAsync());
                    run.Say($"a member joined: {run.Members.Count}");
                    break;
                case 5 or 6 or 7 when coming.Count > 0:
                    what = "leave";
                    var leaving = coming[random.Next(coming.Count)];
                    coming.Remove(leaving);
                    await run.LeaveAsync(leaving);
                    run.Say($"a member left: {run.Members.Count}");
                    break;
                case 8 when children.Count > 0:
                    what = "kill -9";
                    await run.KillAsync(children[0]);
                    children.RemoveAt(0);
                    run.Say($"a consuming process was killed; {run.Status()}");
                    break;
                case 7 or 8:
                    what = "process";
                    children.Add(run.StartChild());
                    run.Say("a consuming process joins");
                    break;
                default:
                    if (partitions >= mostPartitions)
                    {
                        continue;
                    }

                    what = "partitions";
                    partitions += 3;
                    await run.Cluster.Admin.CreatePartitionsAsync(
                        run.Topics.Select(topic => new PartitionsSpecification { Topic = topic, IncreaseTo = partitions }));
                    run.Say($"{partitions} partitions a topic");
                    break;
            }

            counts[what] = counts.GetValueOrDefault(what) + 1;
            await Task.Delay(calm + TimeSpan.FromSeconds(random.Next(1, 10)));
        }

        run.Say($"{Stopwatch.GetElapsedTime(started).TotalMinutes:0.0} minutes; faults: "
            + $"{string.Join(", ", counts.Select(count => $"{count.Key} {count.Value}"))}");
    }
}
