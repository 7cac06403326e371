using System.Diagnostics;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Brokers that die, and brokers that answer nothing.</summary>
internal static class BrokerFaults
{
    public static async Task KillAsync(Bed bed)
    {
        await bed.JoinAsync();
        await bed.JoinAsync();
        await bed.SendAsync(tasks: 8);
        await Task.Delay(TimeSpan.FromSeconds(5));
        for (var broker = 1; broker <= bed.Cluster.Size; broker++)
        {
            await bed.BreakAsync("kill", broker, TimeSpan.FromSeconds(8));
            await Task.Delay(TimeSpan.FromSeconds(5));
        }
    }

    public static async Task PauseAsync(Bed bed)
    {
        await bed.JoinAsync();
        await bed.JoinAsync();
        var leaving = await bed.JoinAsync(options => options.ShutdownTimeout = TimeSpan.FromSeconds(10));
        await bed.SendAsync(tasks: 8);
        await Task.Delay(TimeSpan.FromSeconds(5));
        var coordinator = await bed.Cluster.CoordinatorAsync(bed.Group);
        bed.Say($"the group's coordinator is broker {coordinator}");
        foreach (var broker in Enumerable.Range(1, bed.Cluster.Size).Where(broker => broker != coordinator))
        {
            await bed.BreakAsync("pause", broker, TimeSpan.FromSeconds(15));
        }

        // The coordinator hangs while members commit, and while one of them closes.
        await bed.BreakAsync("pause", coordinator, TimeSpan.FromSeconds(20), async () =>
        {
            await Task.Delay(TimeSpan.FromSeconds(2));
            var started = Stopwatch.GetTimestamp();
            var report = await bed.LeaveAsync(leaving);
            var took = Stopwatch.GetElapsedTime(started);
            bed.Check(took < TimeSpan.FromSeconds(12), $"a member with a ShutdownTimeout of 10 s left a hung coordinator within 12 s (took {took.TotalSeconds:0.0} s; abandoned: {(report.Abandoned.Count == 0 ? "nothing" : string.Join("; ", report.Abandoned))})");
        });
        await Task.Delay(TimeSpan.FromSeconds(5));
    }
}
