using System.Diagnostics;
using Narad.Kafka.Soak.Books;
using Narad.Kafka.Soak.Cluster;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Handlers that are slow, stuck or failing, and a service that is ended in the middle of its work.</summary>
internal static class HandlerFaults
{
    private const int Flight = 100_000;

    public static async Task SlowAsync(Bed bed)
    {
        // One key in fifty takes longer than max.poll.interval.ms, and each member has several of them, one after the other.
        var slow = 0;
        async Task WorkAsync(int key, int sequence, CancellationToken cancellationToken)
        {
            if (key % 50 == 0 && sequence % 20 == 10)
            {
                Interlocked.Increment(ref slow);
                await Task.Delay(TimeSpan.FromSeconds(8), cancellationToken);
            }
            else
            {
                await Member.Short(key, sequence, cancellationToken);
            }
        }

        Action<KafkaOptions> interval = options => options.MaxPollInterval = TimeSpan.FromSeconds(6);
        await bed.JoinAsync(interval, WorkAsync);
        await bed.JoinAsync(interval, WorkAsync);
        await bed.SendAsync();
        await Task.Delay(TimeSpan.FromSeconds(60));
        bed.Say($"{slow} handlers took 8 s, where max.poll.interval.ms is 6 s; {bed.Status()}");
        bed.Check(slow >= 10, "slow again and again");
        bed.Check(bed.Events.Count("Lost") == 0, "nobody was evicted");
    }

    public static async Task StuckKeyAsync(Bed bed)
    {
        // 10,000 keys, a message each, and then a second one for each: the one stuck handler holds its own key and nothing else.
        const int Stuck = 4_711;
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await bed.JoinAsync(work: (key, sequence, cancellationToken) => key == Stuck ? release.Task.WaitAsync(cancellationToken) : Task.CompletedTask);
        await bed.SendAllAsync(2 * bed.Ledger.Keys);
        await bed.ReadAsync();
        await KafkaCluster.Until(() => bed.Ledger.Handled == (2 * bed.Ledger.Keys) - 2, "all other keys are handled", TimeSpan.FromSeconds(120));
        await Task.Delay(TimeSpan.FromSeconds(3));
        var held = bed.Records.Where(record => record.Key == Stuck).MinBy(record => record.Offset);
        await using var service = bed.NewService(0);
        var committed = await service.Topics.GetCommittedOffsetsAsync(bed.Group, bed.TopicOf(Stuck));
        bed.Check(committed.All(partition => !held.Log.StartsWith(partition.Key + "#", StringComparison.Ordinal) || partition.Value <= held.Offset), $"nothing is committed past the stuck message ({held.Log} offset {held.Offset})");
        release.SetResult();
    }

    public static async Task ShutdownInFlightAsync(Bed bed)
    {
        // Sending: 100,000 sends are issued, and the service is disconnected while they are under way.
        var sending = bed.NewService(0, options => options.Linger = TimeSpan.FromSeconds(5));   // so that most of them wait when it ends
        await sending.ConnectProducerAsync();
        var sends = new List<(int Key, int Sequence, Task<SendResult> Send)>(Flight);
        for (var number = 0; number < Flight; number++)
        {
            var key = number % bed.Ledger.Keys;
            var sequence = bed.Ledger.Next(key);
            sends.Add((key, sequence, sending.SendAsync(bed.TopicOf(key), Numbered.Text(bed.Run, key, sequence), key).AsTask()));
        }

        var open = sends.Count(send => !send.Send.IsCompleted);
        var began = Stopwatch.GetTimestamp();
        var report = await sending.DisconnectAsync();
        var took = Stopwatch.GetElapsedTime(began).TotalSeconds;
        bed.Check(sends.TrueForAll(send => send.Send.IsCompleted), $"no send is left hanging; {open} of {Flight} were under way when the service was disconnected, which took {took:0.0} s");
        foreach (var (key, sequence, send) in sends)
        {
            bed.Ledger.Settle(key, sequence, send.IsCompletedSuccessfully ? SendOutcome.Acknowledged : send.Exception?.InnerException is KafkaSendException { MayHaveBeenWritten: false } ? SendOutcome.Failed : SendOutcome.Unknown);
        }

        bed.Check(report.Delivered + report.Late + report.Failed + report.Unknown == Flight && report.Delivered == bed.Ledger.Acknowledged, $"the report adds up: delivered {report.Delivered}, late {report.Late}, failed {report.Failed}, unknown {report.Unknown}");

        // Handling: a member that holds tens of thousands of them is disconnected, and another one does the rest.
        await bed.ReadAsync();
        Action<KafkaOptions> large = options =>
        {
            options.MaxBufferedMessages = Flight;
            options.Parallelism = 100;
        };
        var leaving = await bed.JoinAsync(large);
        await KafkaCluster.Until(() => bed.Ledger.Handled > 5_000, "5,000 are handled", TimeSpan.FromSeconds(60));
        began = Stopwatch.GetTimestamp();
        var left = await bed.LeaveAsync(leaving);
        bed.Check(left.Abandoned.Count == 0, $"a member in the middle of its work left in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s, nothing abandoned; {bed.Status()}");

        // What is behind the first unhandled message of its partition could not be committed: that, and no more, is handled again.
        var ahead = bed.Records.GroupBy(record => record.Log, StringComparer.Ordinal)
            .Sum(log => log.SkipWhile(record => bed.Ledger.IsHandled(record.Key, record.Sequence)).Count(record => bed.Ledger.IsHandled(record.Key, record.Sequence)));
        await bed.JoinAsync(large);
        await bed.SettleAsync();
        bed.Check(bed.Ledger.Handlings.Count == bed.Ledger.Handled + ahead, $"handled twice after an orderly shutdown: {bed.Ledger.Handlings.Count - bed.Ledger.Handled}, exactly what had finished behind an unfinished message ({ahead})");
    }

    public static async Task AllFailingAsync(Bed bed)
    {
        // 60,000 messages of 1 kB in a group that may hold 1,000 messages and 4 MiB, all failing and repeated in memory; then the fault is gone.
        var healed = false;
        var failures = 0;
        Task WorkAsync(int key, int sequence, CancellationToken cancellationToken)
        {
            if (Volatile.Read(ref healed))
            {
                return Task.CompletedTask;
            }

            Interlocked.Increment(ref failures);
            throw new InvalidOperationException("fails on purpose");
        }

        await bed.SendAllAsync(60_000, filling: 1_000);
        await bed.ReadAsync();
        GC.Collect();
        using var process = Process.GetCurrentProcess();
        process.Refresh();
        var before = process.WorkingSet64;
        await bed.JoinAsync(
            options =>
            {
                options.MaxBufferedMessages = 1_000;
                options.MaxBufferedBytes = 4 * 1024 * 1024;
            },
            WorkAsync,
            subscription => { subscription.Retry.InMemory.MaxAttempts = 100; subscription.Retry.InMemory.DelayGenerator = _ => TimeSpan.FromSeconds(2); });
        var peak = before;
        for (var second = 0; second < 30; second++)
        {
            await Task.Delay(1_000);
            process.Refresh();
            peak = Math.Max(peak, process.WorkingSet64);
        }

        bed.Check(bed.Ledger.Handled == 0 && failures > 1_000, $"everything fails: {failures} failures of 60,000 messages in 30 s, nothing handled");
        bed.Check(peak - before < 200 * 1024 * 1024, $"memory stays bounded: {before / 1_048_576} MiB before, {peak / 1_048_576} MiB at most while 60 MB wait");
        Volatile.Write(ref healed, true);
    }
}
