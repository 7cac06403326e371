using System.Diagnostics;
using Narad.Kafka.Soak.Verification;
using Narad.Kafka.Soak.Cluster;
using Narad.Kafka.Soak.Load;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Handlers that are slow, stuck or failing, and a service that is ended in the middle of its work.</summary>
internal static class HandlerFaults
{
    private const int Flight = 100_000;

    public static async Task SlowAsync(TestRun run)
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
        await run.JoinAsync(interval, WorkAsync);
        await run.JoinAsync(interval, WorkAsync);
        await run.SendAsync();
        await Task.Delay(TimeSpan.FromSeconds(60));
        run.Say($"{slow} handlers took 8 s, where max.poll.interval.ms is 6 s; {run.Status()}");
        run.Check(slow >= 10, "slow again and again");
        run.Check(run.Events.Count("Lost") == 0, "nobody was evicted");
    }

    public static async Task StuckKeyAsync(TestRun run)
    {
        // 10,000 keys, a message each, and then a second one for each: the one stuck handler holds its own key and nothing else.
        const int Stuck = 4_711;
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await run.JoinAsync(work: (key, sequence, cancellationToken) => key == Stuck ? release.Task.WaitAsync(cancellationToken) : Task.CompletedTask);
        await run.SendAllAsync(2 * run.Recorder.Keys);
        await run.ReadAsync();
        await KafkaCluster.Until(() => run.Recorder.Handled == (2 * run.Recorder.Keys) - 2, "all other keys are handled", TimeSpan.FromSeconds(120));
        await Task.Delay(TimeSpan.FromSeconds(3));
        var held = run.Records.Where(record => record.Key == Stuck).MinBy(record => record.Offset);
        await using var service = run.NewService(0);
        var committed = await service.Topics.GetCommittedOffsetsAsync(run.Group, run.TopicOf(Stuck));
        run.Check(committed.All(partition => !held.Log.StartsWith(partition.Key + "#", StringComparison.Ordinal) || partition.Value <= held.Offset),
            $"nothing is committed past the stuck message ({held.Log} offset {held.Offset})");
        release.SetResult();
    }

    public static async Task ShutdownInFlightAsync(TestRun run)
    {
        // Sending: 100,000 sends are issued, and the service is disconnected while they are under way.
        var sending = run.NewService(0, options => options.Linger = TimeSpan.FromSeconds(5));   // so that most of them wait when it ends
        await sending.ConnectProducerAsync();
        var sends = new List<(int Key, int Sequence, Task<SendResult> Send)>(Flight);
        for (var number = 0; number < Flight; number++)
        {
            var key = number % run.Recorder.Keys;
            var sequence = run.Recorder.Next(key);
            sends.Add((key, sequence, sending.SendAsync(run.TopicOf(key), Numbered.Text(run.Run, key, sequence), key).AsTask()));
        }

        var open = sends.Count(send => !send.Send.IsCompleted);
        var began = Stopwatch.GetTimestamp();
        var report = await sending.DisconnectAsync();
        var took = Stopwatch.GetElapsedTime(began).TotalSeconds;
        run.Check(sends.TrueForAll(send => send.Send.IsCompleted),
            $"no send is left hanging; {open} of {Flight} were under way when the service was disconnected, which took {took:0.0} s");
        foreach (var (key, sequence, send) in sends)
        {
            run.Recorder.Settle(key, sequence, send.IsCompletedSuccessfully ? SendOutcome.Acknowledged
                : send.Exception?.InnerException is KafkaSendException { MayHaveBeenWritten: false } ? SendOutcome.Failed : SendOutcome.Unknown);
        }

        run.Check(report.Delivered + report.Late + report.Failed + report.Unknown == Flight
            && report.Delivered == run.Recorder.Acknowledged,
            $"the report adds up: delivered {report.Delivered}, late {report.Late}, failed {report.Failed}, unknown {report.Unknown}");

        // Handling: a member that holds tens of thousands of them is disconnected, and another one does the rest.
        await run.ReadAsync();
        Action<KafkaOptions> large = options =>
        {
            options.MaxBufferedMessages = Flight;
            options.Parallelism = 100;
        };
        var leaving = await run.JoinAsync(large);
        await KafkaCluster.Until(() => run.Recorder.Handled > 5_000, "5,000 are handled", TimeSpan.FromSeconds(60));
        began = Stopwatch.GetTimestamp();
        var left = await run.LeaveAsync(leaving);
        run.Check(left.Abandoned.Count == 0,
            $"a member in the middle of its work left in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s, nothing abandoned; {run.Status()}");

        // What is behind the first unhandled message of its partition could not be committed: that, and no more, is handled again.
        var ahead = run.Records.GroupBy(record => record.Log, StringComparer.Ordinal)
            .Sum(log => log.SkipWhile(record => run.Recorder.IsHandled(record.Key, record.Sequence))
                .Count(record => run.Recorder.IsHandled(record.Key, record.Sequence)));
        await run.JoinAsync(large);
        await run.SettleAsync();
        run.Check(run.Recorder.Handlings.Count == run.Recorder.Handled
            + ahead, $"handled twice after an orderly shutdown: {run.Recorder.Handlings.Count - run.Recorder.Handled}, exactly what had finished behind an "
            + $"unfinished message ({ahead})");
    }

    public static async Task AllFailingAsync(TestRun run)
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

        await run.SendAllAsync(60_000, filling: 1_000);
        await run.ReadAsync();
        GC.Collect();
        using var process = Process.GetCurrentProcess();
        process.Refresh();
        var before = process.WorkingSet64;
        await run.JoinAsync(
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

        run.Check(run.Recorder.Handled == 0 && failures > 1_000, $"everything fails: {failures} failures of 60,000 messages in 30 s, nothing handled");
        run.Check(peak - before < 200 * 1024 * 1024, $"memory stays bounded: {before / 1_048_576} MiB before, {peak / 1_048_576} MiB at most while 60 MB wait");
        Volatile.Write(ref healed, true);
    }
}
