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

    public static async Task HangAsync(Bed bed)
    {
        // A broker that hangs longer than its session with the controller is fenced: when it goes on, it first answers that it knows no broker.
        var member = await bed.JoinAsync();
        await bed.JoinAsync();
        await bed.SendAsync(tasks: 8);
        await Task.Delay(TimeSpan.FromSeconds(5));
        foreach (var seconds in (int[])[6, 10, 12, 14, 16])
        {
            var broker = 1 + bed.Random.Next(bed.Cluster.Size);
            await bed.BreakAsync("pause", broker, TimeSpan.FromSeconds(seconds));
        }

        foreach (var seconds in bed.Cluster.Size == 1 ? (int[])[] : [11, 13])
        {
            await Task.WhenAll(Enumerable.Range(1, bed.Cluster.Size).Select(broker => bed.BreakAsync("pause", broker, TimeSpan.FromSeconds(seconds))));
        }

        var started = Stopwatch.GetTimestamp();
        while (!member.Service.IsConnected && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30))
        {
            await Task.Delay(100);
        }

        bed.Check(member.Service.IsConnected, $"the service is connected again after the last of them ({Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s)");
        while (bed.Members.Any(static one => one.Partitions == 0) && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(120))
        {
            await Task.Delay(100);
        }

        bed.Check(bed.Members.All(static one => one.Partitions > 0), $"each member has partitions again ({Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s)");
        await bed.BecomesAsync(says: null, TimeSpan.FromSeconds(30));
        await Task.Delay(TimeSpan.FromSeconds(5));
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
