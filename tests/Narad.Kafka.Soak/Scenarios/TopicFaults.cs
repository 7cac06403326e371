using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Narad.Kafka.Soak.Cluster;

namespace Narad.Kafka.Soak.Scenarios;

/// <summary>Topics and offsets that change under the group.</summary>
internal static class TopicFaults
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static async Task PartitionsAddedAsync(TestRun run)
    {
        await run.JoinAsync();
        await run.JoinAsync();
        await run.SendAsync();
        foreach (var partitions in (int[])[6, 12])
        {
            await Task.Delay(TimeSpan.FromSeconds(5));
            await run.Cluster.Admin.CreatePartitionsAsync(run.Topics.Select(topic => new PartitionsSpecification { Topic = topic, IncreaseTo = partitions }));
            await KafkaCluster.Until(() =>
                run.Members.Sum(member => member.Partitions) == partitions * run.Topics.Count, $"all {partitions} partitions of each topic are assigned",
                Limit);
            run.Say($"{partitions} partitions a topic, all assigned; {run.Status()}");
        }

        // A new connection knows the new partitions at once: from here on keys move to them. (One sender a key at a time: their order is the recorder's.)
        await run.StopSendingAsync();
        await run.SendAllAsync(2_000);
        await Task.Delay(TimeSpan.FromSeconds(5));
    }

    public static async Task RecreatedAsync(TestRun run)
    {
        await run.JoinAsync();
        await run.JoinAsync();
        await run.SendAllAsync(3_000);
        await run.ReadAsync();
        await run.SettleAsync();
        run.Say($"the first topics are handled ({run.Status()}); they are deleted and created again");
        await run.Cluster.Admin.DeleteTopicsAsync(run.Topics);
        foreach (var topic in run.Topics)
        {
            await run.Cluster.CreateTopicAsync(topic, 6);
        }

        await run.SendAllAsync(3_000);
        await run.ReadAsync();
        await ResumeStoppedAsync(run);
    }

    public static async Task OffsetsResetAsync(TestRun run)
    {
        await run.JoinAsync();
        await run.SendAllAsync(3_000);
        await run.ReadAsync();
        await run.SettleAsync();
        await Task.Delay(TimeSpan.FromSeconds(2));   // until it is committed

        var zero = run.Topics.SelectMany(topic => Enumerable.Range(0, 6).Select(partition => new TopicPartitionOffset(topic, partition, 0))).ToList();
        run.Check(await RefusalAsync(() =>
            run.Cluster.Admin.AlterConsumerGroupOffsetsAsync([new ConsumerGroupTopicPartitionOffsets(run.Group, zero)])) is { } refused,
            "the broker refuses to alter the offsets of a group that has members");
        run.Check(run.Recorder.Handlings.Count == run.Recorder.Handled, "nothing was handled again by that");

        // A client that is no member commits for the group: refused as well, or the members continue and overwrite it.
        var stray = await RefusalAsync(() => Task.Run(() => CommitAsStranger(run, zero)));
        run.Say($"a commit of offset 0 by a client that is no member: {stray ?? "accepted"}");
        await run.SendAllAsync(1_000);
        await ReadAgainAsync(run);
        await run.SettleAsync();
        run.Check(run.Recorder.Handlings.Count == run.Recorder.Handled, "the member continued behind what it had handled");

        // Without members it is allowed, and what it asks for is done: everything is handled again.
        var before = run.Recorder.Handlings.Count;
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        await run.LeaveAsync(run.Members[0]);
        string? still = "";
        await KafkaCluster.Until(() =>
            (still = RefusalAsync(() => run.Cluster.Admin.AlterConsumerGroupOffsetsAsync([new ConsumerGroupTopicPartitionOffsets(run.Group, zero)]))
                .GetAwaiter().GetResult()) is null, "the offsets of the empty group are altered", Limit);
        run.Recorder.Fault(began, TimeSpan.FromHours(1), TimeSpan.Zero);
        await run.JoinAsync();
        await KafkaCluster.Until(() => run.Recorder.Handlings.Count >= before + run.Recorder.Handled, "everything is handled again", Limit);
        run.Say("the offsets of the empty group were set to 0: everything was handled again, once");
        run.Check(run.Recorder.Handlings.Count == before + run.Recorder.Handled, "once, no more");
    }

    public static async Task RetentionOvertakesAsync(TestRun run)
    {
        var member = await run.JoinAsync();
        await run.SendAllAsync(3_000);
        await run.ReadAsync();
        await run.SettleAsync();
        await run.LeaveAsync(member);

        // While nobody consumes, 6,000 more come, and retention deletes the first half of what each partition then holds unhandled.
        await run.SendAllAsync(6_000);
        await ReadAgainAsync(run);
        var unhandled = run.Records.Where(record => !run.Recorder.IsHandled(record.Key, record.Sequence)).GroupBy(record => record.Log, StringComparer.Ordinal)
            .ToList();
        var deletions = new List<TopicPartitionOffset>();
        long deleted = 0;
        foreach (var log in unhandled)
        {
            var offsets = log.OrderBy(record => record.Offset).ToList();
            var cut = offsets[offsets.Count / 2].Offset;
            var bracket = log.Key.IndexOf('[', StringComparison.Ordinal);
            deletions.Add(
                new TopicPartitionOffset(log.Key[..bracket], int.Parse(log.Key[(bracket + 1)..log.Key.IndexOf(']', StringComparison.Ordinal)],
                    System.Globalization.CultureInfo.InvariantCulture), cut));
            var gone = offsets.Where(record => record.Offset < cut).ToList();
            run.Delete(gone);
            deleted += gone.Count;
        }

        await run.Cluster.Admin.DeleteRecordsAsync(deletions);
        await run.JoinAsync();
        await KafkaCluster.Until(() => run.Members[0].Stopped.Count() == deletions.Count, "every partition stopped and says so", Limit);
        run.Check(run.Members[0]
            .Stopped.All(stopped => stopped.Reason is OffsetUnavailableException),
            $"all {deletions.Count} partitions stopped with an {nameof(OffsetUnavailableException)}: {deleted} messages that were deleted unhandled are not "
                + $"passed over in silence");
        await ResumeStoppedAsync(run);
    }

    // Reads only what came since: logs are append-only, so the latest reading replaces the one before.
    private static Task ReadAgainAsync(TestRun run) => run.ReadAsync(again: true);

    private static async Task ResumeStoppedAsync(TestRun run)
    {
        // What stops because its offset is not there any more continues when somebody says so.
        var started = DateTime.UtcNow;
        var resumed = 0;
        while (run.Records.Any(record => !run.IsDone(record)) && DateTime.UtcNow - started < Limit)
        {
            foreach (var member in run.Members)
            {
                resumed += await member.GoOnAsync(static _ => null);
            }

            await Task.Delay(200);
        }

        run.Say($"partitions that had stopped and were resumed by name: {resumed}");
    }

    private static async Task<string?> RefusalAsync(Func<Task> request)
    {
        try
        {
            await request();
            return null;
        }
        catch (KafkaException refused)
        {
            return refused is AlterConsumerGroupOffsetsException altering
                ? altering.Results[0].Partitions.Find(partition => partition.Error.IsError)?.Error.Code.ToString() ?? refused.Error.Code.ToString()
                : refused.Error.Code.ToString();
        }
    }

    private static void CommitAsStranger(TestRun run, List<TopicPartitionOffset> offsets)
    {
        using var consumer = new ConsumerBuilder<byte[]?,
            byte[]?>(new ConsumerConfig { BootstrapServers = run.Cluster.Brokers, GroupId = run.Group, EnableAutoCommit = false })
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        consumer.Assign(offsets);
        consumer.Commit(offsets);
    }
}
