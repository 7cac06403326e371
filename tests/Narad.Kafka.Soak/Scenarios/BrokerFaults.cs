using System.Diagnostics;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Brokers that die, and brokers that answer nothing.</summary>
internal static class BrokerFaults
{
    public static async Task KillAsync(TestRun run)
    {
        await run.JoinAsync();
        await run.JoinAsync();
        await run.SendAsync(tasks: 8);
        await Task.Delay(TimeSpan.FromSeconds(5));
        for (var broker = 1; broker <= run.Cluster.Size; broker++)
        {
            await run.BreakAsync("kill", broker, TimeSpan.FromSeconds(8));
            await Task.Delay(TimeSpan.FromSeconds(5));
        }
    }

    public static async Task HangAsync(TestRun run)
    {
        // A broker that hangs longer than its session with the controller is fenced: when it continues, it first answers that it knows no broker.
        var member = await run.JoinAsync();
        await run.JoinAsync();
        await run.SendAsync(tasks: 8);
        await Task.Delay(TimeSpan.FromSeconds(5));
        foreach (var seconds in (int[])[6, 10, 12, 14, 16])
        {
            var broker = 1 + run.Random.Next(run.Cluster.Size);
            await run.BreakAsync("pause", broker, TimeSpan.FromSeconds(seconds));
        }

        foreach (var seconds in run.Cluster.Size == 1 ? (int[])[] : [11, 13])
        {
            await Task.WhenAll(Enumerable.Range(1, run.Cluster.Size).Select(broker => run.BreakAsync("pause", broker, TimeSpan.FromSeconds(seconds))));
        }

        var started = Stopwatch.GetTimestamp();
        while (!member.Service.IsConnected && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30))
        {
            await Task.Delay(100);
        }

        run.Check(member.Service.IsConnected,
            $"the service is connected again after the last of them ({Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s)");
        while (run.Members.Any(static one => one.Partitions == 0) && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(120))
        {
            await Task.Delay(100);
        }

        run.Check(run.Members.All(static one => one.Partitions > 0),
            $"each member has partitions again ({Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s)");
        await run.BecomesAsync(says: null, TimeSpan.FromSeconds(30));
        await Task.Delay(TimeSpan.FromSeconds(5));
    }

    public static async Task PauseAsync(TestRun run)
    {
        await run.JoinAsync();
        await run.JoinAsync();
        var leaving = await run.JoinAsync(options => options.ShutdownTimeout = TimeSpan.FromSeconds(10));
        await run.SendAsync(tasks: 8);
        await Task.Delay(TimeSpan.FromSeconds(5));
        var coordinator = await run.Cluster.CoordinatorAsync(run.Group);
        run.Say($"the group's coordinator is broker {coordinator}");
        foreach (var broker in Enumerable.Range(1, run.Cluster.Size).Where(broker => broker != coordinator))
        {
            await run.BreakAsync("pause", broker, TimeSpan.FromSeconds(15));
        }

        // The coordinator hangs while members commit, and while one of them closes.
        await run.BreakAsync("pause", coordinator, TimeSpan.FromSeconds(20), async () =>
        {
            await Task.Delay(TimeSpan.FromSeconds(2));
            var started = Stopwatch.GetTimestamp();
            var report = await run.LeaveAsync(leaving);
            var took = Stopwatch.GetElapsedTime(started);
            run.Check(took < TimeSpan.FromSeconds(12),
                $"a member with a ShutdownTimeout of 10 s left a hung coordinator within 12 s (took {took.TotalSeconds:0.0} s; abandoned: "
                    + $"{(report.Abandoned.Count == 0 ? "nothing" : string.Join("; ", report.Abandoned))})");
        });
        await Task.Delay(TimeSpan.FromSeconds(5));
    }
}
